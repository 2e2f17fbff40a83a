// SPDX-License-Identifier: MIT
// The filter for the interface of MeshLab 2020.09.

#ifndef SASNET_PLUGIN_2020_H
#define SASNET_PLUGIN_2020_H

#include "reconstruct.h"

class FilterSasnetPlugin : public QObject, public MeshFilterInterface
{
	Q_OBJECT
	MESHLAB_PLUGIN_IID_EXPORTER(MESH_FILTER_INTERFACE_IID)
	Q_INTERFACES(MeshFilterInterface)

public:
	enum { FP_SASNET };

	FilterSasnetPlugin();
	QString pluginName() const override { return "FilterSasnet"; }
	QString filterName(FilterIDType) const override { return sasnet::NAME; }
	QString filterInfo(FilterIDType) const override { return sasnet::INFO; }
	// A filter of class Generic shows in no menu.
	FilterClass getClass(QAction*) override { return FilterClass(Remeshing | PointSet); }
	FILTER_ARITY filterArity(QAction*) const override { return SINGLE_MESH; }
	void initParameterSet(QAction*, MeshDocument& md, RichParameterList& par) override
	{
		par = sasnet::parameters(md);
	}
	bool applyFilter(QAction*, MeshDocument& md, const RichParameterList& par, vcg::CallBackPos* cb) override;
};

#endif
