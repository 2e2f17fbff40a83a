// SPDX-License-Identifier: MIT

#include "plugin_2021.h"

FilterSasnetPlugin::FilterSasnetPlugin()
{
	typeList = {FP_SASNET};
	actionList.push_back(new QAction(filterName(FP_SASNET), this));
}

std::map<std::string, QVariant> FilterSasnetPlugin::applyFilter(
	const QAction*, const RichParameterList& par, MeshDocument& md, unsigned int&, vcg::CallBackPos* cb)
{
	try {
		for (const QString& line : sasnet::reconstruct(md, par, cb))
			log(GLLogStream::FILTER, line.toStdString());
	}
	catch (const MLException& error) {
		log(GLLogStream::WARNING, std::string(error.what()));
		throw;
	}
	return {};
}

MESHLAB_PLUGIN_NAME_EXPORTER(FilterSasnetPlugin)
