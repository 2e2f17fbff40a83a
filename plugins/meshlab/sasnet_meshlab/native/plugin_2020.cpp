// SPDX-License-Identifier: MIT

#include "plugin_2020.h"

#include <common/mlexception.h>

FilterSasnetPlugin::FilterSasnetPlugin()
{
	typeList << FP_SASNET;
	actionList << new QAction(filterName(FP_SASNET), this);
}

bool FilterSasnetPlugin::applyFilter(
	QAction*, MeshDocument& md, const RichParameterList& par, vcg::CallBackPos* cb)
{
	try {
		for (const QString& line : sasnet::reconstruct(md, par, cb))
			Log(GLLogStream::FILTER, line.toStdString());
		return true;
	}
	catch (const MLException& error) {
		const QString text = error.what();
		// meshlabserver prints the log only, and the window shows errorMessage as rich text.
		Log(GLLogStream::WARNING, text.toStdString());
		errorMessage = text.toHtmlEscaped().replace("\n", "<br>");
		return false;
	}
}

MESHLAB_PLUGIN_NAME_EXPORTER(FilterSasnetPlugin)
