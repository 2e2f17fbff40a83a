// SPDX-License-Identifier: MIT
// What the filter is and does, apart from the interface of one MeshLab version.

#ifndef SASNET_RECONSTRUCT_H
#define SASNET_RECONSTRUCT_H

#ifdef MESHLAB_2020
#include <common/interfaces.h>
#else
#include <common/plugins/interfaces/filter_plugin.h>
#endif

namespace sasnet {

extern const char* const NAME;
extern const char* const INFO;

/// The MeshLab that the plugin fits; `sasnet-sdf meshlab install-plugin` looks for it in the file.
extern const char* const BUILT_FOR;

/// The parameters of the filter's dialog for the current layer: options of `sasnet-sdf reconstruct`.
RichParameterList parameters(const MeshDocument& md);

/**
 * Writes the current layer to a file, runs `sasnet-sdf reconstruct` on it and adds the result as a
 * new layer. Returns what the command has to say about it, a line each.
 * Throws MLException with the command's own words when there is no surface, and when `cb` answers
 * that the filter is to stop.
 */
QStringList reconstruct(MeshDocument& md, const RichParameterList& par, vcg::CallBackPos* cb);

} // namespace sasnet

#endif
