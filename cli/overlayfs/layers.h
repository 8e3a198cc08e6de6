/* SPDX-License-Identifier: MIT */
#ifndef IDM_CLI_OVERLAYFS_LAYERS_H
#define IDM_CLI_OVERLAYFS_LAYERS_H

#include "options.h"

/*
 * Converts the whiteouts of all layers, and drops the layers that an opaque one hides as a whole.
 * Returns DONE, or reports and returns FAILED.
 */
int prepare_layers(struct overlay_request *q, const char *target);

#endif
