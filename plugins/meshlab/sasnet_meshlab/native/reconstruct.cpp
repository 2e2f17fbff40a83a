// SPDX-License-Identifier: MIT

#include "reconstruct.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QProcess>
#include <QRegularExpression>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <cmath>

#ifdef MESHLAB_2020
#include <common/filter_parameter/rich_parameter_list.h>
#else
#include <common/parameters/rich_parameter_list.h>
#endif
#include <common/mlexception.h>
#include <vcg/complex/algorithms/update/bounding.h>
#include <vcg/complex/algorithms/update/normal.h>
#include <vcg/complex/algorithms/update/position.h>
#include <vcg/complex/append.h>
#include <wrap/io_trimesh/export_ply.h>
#include <wrap/io_trimesh/import_ply.h>

using vcg::tri::io::Mask;

namespace {

#ifdef MESHLAB_PERCENTAGE
using RichLength = RichPercentage; // its newer name
#else
using RichLength = RichAbsPerc;
#endif

const QStringList PRESETS = {"fast", "balanced", "fine"};
const QStringList NORMALS = {"auto", "file", "estimate"};

bool hasNormals(const CMeshO& mesh)
{
	// MeshLab has room for normals in every layer, so whether there are any shows in the numbers.
	for (const CVertexO& vertex : mesh.vert) {
		const double length = vertex.IsD() ? 1 : vertex.cN().SquaredNorm();
		if (!(std::isfinite(length) && length > 0))
			return false;
	}
	return true;
}

void exportLayer(MeshModel& layer, const QString& path)
{
	// The command knows no layer transforms: it gets the points where they are seen.
	CMeshO placed;
	vcg::tri::Append<CMeshO, CMeshO>::MeshCopy(placed, layer.cm);
	vcg::tri::UpdatePosition<CMeshO>::Matrix(placed, layer.cm.Tr);
	int mask = 0;
	if (hasNormals(placed))
		mask |= Mask::IOM_VERTNORMAL;
	if (layer.hasDataMask(MeshModel::MM_VERTCOLOR))
		mask |= Mask::IOM_VERTCOLOR;
	using Exporter = vcg::tri::io::ExporterPLY<CMeshO>;
	const int error = Exporter::Save(placed, QFile::encodeName(path).constData(), mask, true);
	if (error != 0)
		throw MLException("the layer cannot be written to " + path + ": " + Exporter::ErrorMsg(error));
}

void importLayer(MeshDocument& md, const QString& path)
{
	// Read apart, so that a failure leaves no empty layer behind.
	CMeshO surface;
	int mask = 0;
	using Importer = vcg::tri::io::ImporterPLY<CMeshO>;
	const int error = Importer::Open(surface, QFile::encodeName(path).constData(), mask);
	if (error != 0)
		throw MLException("the surface in " + path + " cannot be read: " + Importer::ErrorMsg(error));
	MeshModel* layer = md.addNewMesh(QString(), "SASNet surface");
	if (mask & Mask::IOM_VERTCOLOR)
		layer->updateDataMask(MeshModel::MM_VERTCOLOR);
	vcg::tri::Append<CMeshO, CMeshO>::MeshCopy(layer->cm, surface);
	// The normals of the vertices are the field's own, better than what the triangles tell.
	vcg::tri::UpdateNormal<CMeshO>::PerFaceNormalized(layer->cm);
	vcg::tri::UpdateBounding<CMeshO>::Box(layer->cm);
}

QStringList arguments(const RichParameterList& par, const QString& input, const QString& output)
{
	QStringList words = {"reconstruct", input, "-o", output, "--progress", "plain"};
	words << "--preset" << PRESETS.value(par.getEnum("preset"));
	const double trim = par.getFloat("trim");
	words << "--trim" << (trim != 0 ? QString::number(trim, 'g', 10) : "auto");
	words << "--normals" << NORMALS.value(par.getEnum("normals"));
	words << "--seed" << QString::number(par.getInt("seed"));
	words << "--refine" << (par.getBool("refine") ? "auto" : "off");
	words << "--colors" << (par.getBool("colors") ? "auto" : "off");
	if (par.getBool("watertight"))
		words << "--watertight";
	auto unlessZero = [&words](const char* option, double value) {
		if (value != 0)
			words << option << QString::number(value, 'g', 10);
	};
	unlessZero("--resolution", par.getInt("resolution"));
	unlessZero("--edge-length", par.getFloat("edgelength"));
	unlessZero("--faces", par.getInt("faces"));
	unlessZero("--steps", par.getInt("steps"));
	unlessZero("--time-limit", par.getFloat("timelimit"));
	return words;
}

QString program(const QString& asked)
{
	const QString named = asked.isEmpty() ? QString::fromLocal8Bit(qgetenv("SASNET_SDF")) : asked;
	if (!named.isEmpty())
		return named;
	const QString found = QStandardPaths::findExecutable("sasnet-sdf");
	if (!found.isEmpty())
		return found;
	// A program started from the desktop's menu does not see a virtual environment's PATH.
	const QString builder = QString::fromUtf8(SASNET_SDF_COMMAND);
	if (QFileInfo(builder).isExecutable())
		return builder;
	throw MLException(
		"sasnet-sdf was not found. Install it (pip install sasnet-sdf), then name it in the parameter "
		"'command' or the environment variable SASNET_SDF, or put it on the PATH.");
}

/// Runs the command and returns what it wrote to stderr.
QString run(const QString& command, const QStringList& words, vcg::CallBackPos* cb)
{
	QProcess child;
	QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
	// Bundles of MeshLab set these for themselves; Python would find MeshLab's libraries by them.
	environment.remove("LD_LIBRARY_PATH");
	environment.remove("QT_PLUGIN_PATH");
	environment.insert("PYTHONUTF8", "1");
	child.setProcessEnvironment(environment);
	child.start(command, words);
	if (!child.waitForStarted(-1))
		throw MLException(command + " cannot be started: " + child.errorString());

	int percent = 0;
	QByteArray message = "starting";
	while (child.state() != QProcess::NotRunning) {
		child.waitForReadyRead(100);
		while (child.canReadLine()) {
			const QByteArray line = child.readLine().trimmed();
			const int space = line.indexOf(' ');
			bool isNumber = false;
			const int number = line.left(space).toInt(&isNumber);
			if (isNumber) {
				percent = number;
				message = "SASNet: " + line.mid(space + 1);
			}
		}
		if (cb != nullptr && !cb(percent, message.constData())) {
			child.kill();
			child.waitForFinished();
			throw MLException("stopped");
		}
		// MeshLab's callback does nothing while the percentage stays, and the window would freeze.
		if (QCoreApplication::instance() != nullptr)
			QCoreApplication::processEvents(QEventLoop::ExcludeUserInputEvents);
	}
	const QString told = QString::fromUtf8(child.readAllStandardError()).trimmed();
	// 130: training was ended early by a signal, and there may be the surface that it had reached.
	const bool ended = child.exitStatus() == QProcess::NormalExit;
	if (!ended || (child.exitCode() != 0 && child.exitCode() != 130))
		throw MLException(told.isEmpty() ? command + " ended without a word" : told);
	return told;
}

} // namespace

const char* const sasnet::NAME = "Surface Reconstruction: SASNet";

const char* const sasnet::BUILT_FOR = SASNET_BUILT_FOR;

const char* const sasnet::INFO =
	"Trains a small neural signed distance field on the points of the current layer and extracts its "
	"surface as a new layer: closed around a solid, open where the scan was open. Normals are used "
	"where there are some. A layer with faces is taken as a mesh.<br>"
	"The program <b>sasnet-sdf</b> does the work, from seconds (preset <i>fast</i>) to minutes "
	"(<i>fine</i>).<br>"
	"<b>SASNet: Spatially-Adaptive Sinusoidal Networks</b>, CVPR 2026, arXiv:2503.09750";

RichParameterList sasnet::parameters(const MeshDocument& md)
{
	// Lengths may be given as a share of the diagonal, of the layer as it is seen.
	Box3m box;
	if (md.mm() != nullptr)
		box.Add(md.mm()->cm.Tr, md.mm()->cm.bbox);
	const Scalarm diagonal = box.IsNull() ? 1 : box.Diag();

	RichParameterList list;
	list.addParam(RichEnum("preset", 1, PRESETS, "Preset", "How much work to spend."));
	list.addParam(RichInt("resolution", 0, "Resolution",
		"Lattice cells along the side of the cube around the input. 0: the preset's."));
	list.addParam(RichLength("edgelength", 0, 0, diagonal, "Edge length",
		"Size of a lattice cell in the units of the input; sets the resolution. 0: the resolution decides"
		" it."));
	list.addParam(RichLength("trim", 0, 0, diagonal, "Trim",
		"Cut surface away that is farther from the points than this. 0: the spacing of the points "
		"decides, and nothing is cut where they surround a solid. 100%: cut nothing away."));
	list.addParam(RichBool("watertight", false, "Watertight", "Close what is open instead of trimming it."));
	list.addParam(RichBool("refine", true, "Refine",
		"On: the mesh follows the data where there are data, and the network across holes. Off: it is the"
		" network's surface everywhere."));
	list.addParam(RichEnum("normals", 0, NORMALS, "Normals",
		"What decides which side of a layer without faces is outside. file: its normals. estimate: its "
		"points. auto: its normals if it has any."));
	list.addParam(RichInt("faces", 0, "Faces", "Decimate to this many triangles. 0: keep all."));
	list.addParam(RichInt("seed", 0, "Seed", "The same seed gives the same bytes."));
	list.addParam(RichInt("steps", 0, "Training steps", "Training steps, instead of the preset's. 0: the preset's."));
	list.addParam(RichFloat("timelimit", 0, "Time limit", "End training after this many seconds. 0: no limit."));
	list.addParam(RichBool("colors", true, "Colors", "Carry the input's colors over to the vertices."));
	list.addParam(RichString("command", "", "Command",
		"The command line sasnet-sdf. Empty: the environment variable SASNET_SDF, else the one on the PATH, "
		"else the one that built this plugin."));
	return list;
}

QStringList sasnet::reconstruct(MeshDocument& md, const RichParameterList& par, vcg::CallBackPos* cb)
{
	if (md.mm() == nullptr)
		throw MLException("there is no layer");
	QTemporaryDir folder;
	if (!folder.isValid())
		throw MLException("no temporary folder: " + folder.errorString());
	const QString input = folder.filePath("layer.ply"), output = folder.filePath("surface.ply");
	const QString command = program(par.getString("command").trimmed());
	exportLayer(*md.mm(), input);
	const QString told = run(command, arguments(par, input, output), cb);
	if (!QFileInfo::exists(output))
		throw MLException(told);
	importLayer(md, output);
	// Where the file was is of no interest: it is gone.
	return told.split('\n').filter(QRegularExpression("^(?!wrote ).*\\S"));
}
