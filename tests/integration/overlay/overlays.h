/* SPDX-License-Identifier: MIT */
/* What the tests of overlays have in common. */
#ifndef IDM_INTEGRATION_OVERLAY_OVERLAYS_H
#define IDM_INTEGRATION_OVERLAY_OVERLAYS_H

#include "lib/base/macros.h"
#include "tests/integration/mount/trees.h"

#define MAP "0:100000:65536"
#define TARGET SCRATCH "/target"
#define AT(path) ((struct idm_path){ AT_FDCWD, path })

/* Before Linux 6.15 the last one is refused. */
static const unsigned int overlay_ways[] = { 0, IDM_OVERLAY_IN_NAMESPACE, IDM_OVERLAY_BY_DESCRIPTOR };

#define EACH_WAY(way)                                                                                   \
	for (unsigned int i_ = 0, way;                                                                  \
	     i_ < ARRAY_SIZE(overlay_ways) - kernel_is_before(6, 15) && (way = overlay_ways[i_], true); \
	     i_++)

static inline void attach_overlay(const struct idm_overlay_options *o)
{
	AUTO_FD int tree = -1;
	struct idm_error err;

	tree = (int)assert_ok(idm_overlay_open(o, &err), &err);
	attach_at(tree, TARGET);
}

#endif
