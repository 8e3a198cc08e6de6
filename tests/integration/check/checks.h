/* SPDX-License-Identifier: MIT */
/* What the tests of idm_check_path() and idm_features() have in common. */
#ifndef IDM_INTEGRATION_CHECK_CHECKS_H
#define IDM_INTEGRATION_CHECK_CHECKS_H

#include "lib/sys/syscall.h"
#include "tests/integration/mount/trees.h"
#include "tests/lib/neighbour.h"

struct checked {
	int r;
	struct idm_check_result c;
	struct idm_error e; /* of a failure, or why the answer is no */
};

/* Makes sure that nothing was left behind, too. */
static inline struct checked check_at(int dirfd, const char *path, unsigned int flags)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	struct checked x = { .c.size = sizeof(x.c) };
	struct idm_error err = { 0 };

	memset(&x.e, 0xff, sizeof(x.e));
	x.r = idm_check_path(dirfd, path, flags | (*path ? 0 : IDM_CHECK_EMPTY_PATH), &x.c, &x.e, &err);
	if (x.r < 0)
		x.e = err;
	else
		assert_int_equal(err.errnum, 0); /* written on failure only */
	snapshot_assert_same(before);
	assert_int_equal(x.c.size, sizeof(x.c));
	return x;
}

static inline struct checked check(const char *path, unsigned int flags)
{
	return check_at(AT_FDCWD, path, flags);
}

static inline void expect(const char *file, int line, const char *what, const struct checked *x,
			  bool is_so)
{
	if (!is_so)
		fail_at(file, line,
			"not %s: %d, a %s, mappable %d, mapped %d, writable %d, disk IDs checked %d\n%s [%s]",
			what, x->r, x->c.fstype, x->c.mappable, x->c.mapped, x->c.writable,
			x->c.disk_id_checked, x->e.message, x->e.hint);
}

static inline void assert_mappable_at(const char *file, int line, struct checked x, const char *fstype)
{
	expect(file, line, "mappable", &x, x.r == 0 && x.c.mappable);
	assert_string_at(file, line, "fstype", x.c.fstype, fstype);
}
#define assert_mappable(x, fstype) assert_mappable_at(HERE, x, fstype)

/* With nothing to complain about. */
static inline void assert_writable_at(const char *file, int line, struct checked x, const char *fstype)
{
	assert_mappable_at(file, line, x, fstype);
	expect(file, line, "writable", &x, x.c.writable && !x.e.errnum && !*x.e.message);
}
#define assert_writable(x, fstype) assert_writable_at(HERE, x, fstype)

/* Writable, seen from both ends. */
static inline void assert_all_well_at(const char *file, int line, struct checked x, const char *fstype)
{
	assert_writable_at(file, line, x, fstype);
	expect(file, line, "checked on disk", &x, x.c.disk_id_checked);
}
#define assert_all_well(x, fstype) assert_all_well_at(HERE, x, fstype)

static inline void assert_refused_at(const char *file, int line, struct checked x, int errnum,
				     const char *reason)
{
	expect(file, line, "refused", &x,
	       x.r == 0 && !x.c.mappable && !x.c.writable && !x.c.disk_id_checked);
	assert_error_at(file, line, "the check", -x.e.errnum, -errnum, &x.e, NULL, "map tree", reason);
}
#define assert_refused(x, errnum, reason) assert_refused_at(HERE, x, errnum, reason)

static inline void assert_not_writable_at(const char *file, int line, struct checked x, int errnum,
					  const char *reason)
{
	expect(file, line, "mappable, but not writable", &x, x.r == 0 && x.c.mappable && !x.c.writable);
	assert_error_at(file, line, "the check", -x.e.errnum, -errnum, &x.e, NULL, "make file", reason);
}
#define assert_not_writable(x, errnum, reason) assert_not_writable_at(HERE, x, errnum, reason)

/* ---- features ---- */

static inline int find_feature(const struct idm_feature_info *f, void *data)
{
	struct idm_feature_info *wanted = data;

	if (strcmp(f->name, wanted->name) != 0)
		return 0;
	*wanted = *f;
	return 1;
}

static inline struct idm_feature_info feature(const char *name)
{
	struct idm_feature_info f = { .name = name };

	assert_int_equal(idm_features(0, find_feature, &f, NULL), 1);
	return f;
}

static inline bool has_feature(const char *name)
{
	return feature(name).available;
}

/* errnum 0: it is there. */
static inline void assert_feature_at(const char *file, int line, const char *name, int errnum)
{
	struct idm_feature_info f = feature(name);

	if (f.available != !errnum || f.errnum != errnum)
		fail_at(file, line, "feature %s: available %d, %s", name, f.available,
			strerror(f.errnum));
}
#define assert_feature(name, errnum) assert_feature_at(HERE, name, errnum)

#endif
