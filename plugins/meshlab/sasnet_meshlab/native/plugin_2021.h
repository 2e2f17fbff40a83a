// SPDX-License-Identifier: MIT
// The filter for the interface of MeshLab 2021.05 and later.

#ifndef SASNET_PLUGIN_2021_H
#define SASNET_PLUGIN_2021_H

#include "reconstruct.h"

class FilterSasnetPlugin : public QObject, public FilterPlugin
{
	Q_OBJECT
	MESHLAB_PLUGIN_IID_EXPORTER(FILTER_PLUGIN_IID)
	Q_INTERFACES(FilterPlugin)

public:
	enum { FP_SASNET };

	FilterSasnetPlugin();
	QString pluginName() const override { return "FilterSasnet"; }
	QString vendor() const override { return "sasnet-sdf"; }
	QString filterName(ActionIDType) const override { return sasnet::NAME; }
	QString pythonFilterName(ActionIDType) const override { return "generate_surface_reconstruction_sasnet"; }
	QString filterInfo(ActionIDType) const override { return sasnet::INFO; }
	FilterClass getClass(const QAction*) const override { return FilterClass(Remeshing | PointSet); }
	FilterArity filterArity(const QAction*) const override { return SINGLE_MESH; }
	RichParameterList initParameterList(const QAction*, const MeshDocument& md) override
	{
		return sasnet::parameters(md);
	}
	std::map<std::string, QVariant> applyFilter(
		const QAction*,
		const RichParameterList& par,
		MeshDocument& md,
		unsigned int& postConditionMask,
		vcg::CallBackPos* cb) override;
};

#endif
