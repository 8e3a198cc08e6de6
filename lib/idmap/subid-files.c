// SPDX-License-Identifier: MIT
/*
 * /etc/subuid and /etc/subgid, read by the library itself, instead of subid.c: libsubid loads what
 * nsswitch.conf names, which a static program cannot.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "idmap.h"
#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/subid-line.h"
#include "lib/sys/fail-errno.h"
#include "nss.h"
#include "subid-diag.h"

static const enum idm_error_step step_subid = IDM_STEP_LOOK_UP_SUBIDS;

/* A file, and whose ranges are wanted of it. */
struct subid_file {
	const char *name;
	unsigned int kind;
	const char *owner;
	char uid[12]; /* of the owner: either may stand there; empty: not known */
};

static bool is_range_of(const struct subid_file *f, const struct idm_subid_line *line)
{
	return strcmp(line->owner, f->owner) == 0 || (*f->uid && strcmp(line->owner, f->uid) == 0);
}

/* Disk IDs from *disk on. */
static int add_subid_range(struct idm_map *map, const struct subid_file *f,
			   const struct idm_subid_line *range, unsigned long long *disk,
			   struct idm_error *err)
{
	struct idm_entry e = { (uint32_t)*disk, (uint32_t)range->start, (uint32_t)range->count };

	if (range->start >= IDM_ID_END || range->count > IDM_ID_END - range->start ||
	    range->count > IDM_ID_END - *disk)
		return idm_fail(err, -EINVAL, step_subid, f->owner,
				"the range %llu:%llu in %s exceeds 4294967294, the last ID",
				(unsigned long long)range->start, (unsigned long long)range->count,
				f->name);
	*disk += range->count;
	return idm_map_add(map, f->kind, &e, 1, err);
}

static int add_subid_file(struct idm_map *map, const struct subid_file *f, struct idm_error *err)
{
	FILE *file = fopen(f->name, "re");
	unsigned long long disk = 0;
	char text[IDM_SUBID_LINE_MAX + 2];
	struct idm_subid_line line;
	int r = 0;

	if (!file && errno != ENOENT)
		return idm_fail_errno(err, -errno, step_subid, f->name);
	while (file && r == 0 && idm_read_subid_line(file, text, &line))
		if (is_range_of(f, &line))
			r = add_subid_range(map, f, &line, &disk, err);
	if (file)
		fclose(file);
	if (r < 0 || disk)
		return r;
	return idm_diagnose_subid(f->kind, f->owner, err);
}

int idm_map_add_subid(struct idm_map *map, const char *owner, struct idm_error *err)
{
	HOLD_CANCEL;
	struct subid_file f = { "/etc/subuid", IDM_UID, owner, "" };
	struct idm_map *new;
	struct idm_ids ids;
	int r;

	if (idm_map_copy(map, &new) < 0)
		return idm_fail_errno(err, -ENOMEM, step_subid, NULL);
	if (idm_nss_find_user(owner, &ids) == 0)
		snprintf(f.uid, sizeof(f.uid), "%u", ids.uid);
	r = add_subid_file(new, &f, err);
	f.name = "/etc/subgid";
	f.kind = IDM_GID;
	if (r == 0)
		r = add_subid_file(new, &f, err);
	if (r == 0)
		idm_map_move(map, new);
	idm_map_free(new);
	return r;
}
