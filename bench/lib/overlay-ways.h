/* SPDX-License-Identifier: MIT */
/* Layers as those of container engines, and the engines' ways to an overlay that maps them. */
#ifndef IDM_LIB_OVERLAY_WAYS_H
#define IDM_LIB_OVERLAY_WAYS_H

#include <stdbool.h>
#include <stddef.h>

#include "measure.h"

/* As deep as those of container engines are. */
#define ENGINE PLACE "/var/lib/engine"
#define STORE ENGINE "/io.engine.snapshotter.v1.overlayfs/snapshots"
#define UPPER ENGINE "/upper/fs"
#define WORK ENGINE "/upper/work"

#define MOST_LAYERS 500

extern struct idm_path layers[MOST_LAYERS];
extern size_t n_layers; /* so many of them are used */

void make_layers(void); /* after enter_place() */
bool layers_fit(void);	/* in the one option string of mount(2) */

/* A detached copy of this directory with this namespace, by the calls of Linux 5.12. */
int clone_mapped(const char *path, int userns);

/*
 * Each mounts an overlay at `target` and closes `userns`. Several threads may do so at once.
 *
 * The layers are named by paths below one mapped copy of their common parent. That is attached at a
 * temporary directory for the time of the mount, and detached again.
 */
void overlay_by_one_string(int userns, const char *target);
void overlay_by_fsconfig(int userns, const char *target, bool upper);

/* Each layer is attached as a mapped copy of its own. */
void overlay_by_mapped_layers(int userns, const char *target);

/*
 * The system calls without which it cannot be done, nothing checked, with a namespace of such calls.
 * Leaves the working directory of the thread in the mapped copy. Linux 6.16, on x86_64.
 */
void overlay_by_bare_calls(const char *target);
bool overlay_has_bare_calls(void);

/*
 * The same for the way in a namespace. Enters a copy of the mount namespace `staging`, and covers its
 * root by the mapped copy of STORE. The overlay covers a layer there. Returns a detached copy of it.
 */
int overlay_by_bare_calls_in(int staging, int copy);

#endif
