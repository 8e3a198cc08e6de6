/* SPDX-License-Identifier: MIT */
/* What the tests of plans have in common. */
#ifndef IDM_INTEGRATION_ROOTFS_PLANS_H
#define IDM_INTEGRATION_ROOTFS_PLANS_H

#include <stdarg.h>

#include "lib/base/macros.h"
#include "tests/integration/mount/trees.h"

#define ROOT SCRATCH "/store/root"
#define TARGET SCRATCH "/target"
#define MAP "uidmap=0:100000:65536", "gidmap=0:100000:65536" /* two words */

static inline void free_plan(struct idm_plan **plan)
{
	idm_plan_free(*plan);
}

#define AUTO_PLAN __attribute__((cleanup(free_plan)))

static inline struct idm_plan *plan_new(void)
{
	struct idm_plan *plan;

	assert_ok(idm_plan_new(&plan), NULL);
	return plan;
}

/* IDM_PLAN_* for plan_step(). */
static unsigned int add_flags;

/* Adds a mount; after the target come its words, and NULL. */
static inline void plan_step(struct idm_plan *plan, const char *type, const char *source,
			     const char *target, ...)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	const char *words[16];
	struct idm_error err;
	va_list args;

	m.flags = add_flags;
	m.type = type;
	m.source = source;
	m.target = target;
	m.options = words;
	va_start(args, target);
	while ((words[m.n_options] = va_arg(args, const char *)))
		m.n_options++;
	va_end(args);
	assert_ok(idm_plan_add(plan, &m, &err), &err);
}

/* A small root filesystem at ROOT, and an empty directory at TARGET. */
static inline void make_image(void)
{
	scratch_dir(ROOT "/etc");
	scratch_dir(ROOT "/bin");
	scratch_dir(TARGET);
	owned_file(ROOT "/etc/passwd", 0, 0);
	owned_file(ROOT "/etc/mail", 8, 12);
	owned_file(ROOT "/etc/hosts", 0, 0);
	owned_file(ROOT "/bin/sh", 0, 0);
}

static inline void enter_image(void)
{
	scratch_enter();
	make_image();
}

static inline void unmount_target(void)
{
	struct idm_error err;

	assert_ok(idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_RECURSIVE, &err), &err);
}

static inline void assert_mounted(const char *path)
{
	struct statx st;

	must(statx(AT_FDCWD, path, 0, 0, &st));
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		fail_at(HERE, "%s is no mount point", path);
}

#endif
