// SPDX-License-Identifier: MIT
/* Finds the verdicts about one path: by the library's rules, then by what only the command knows. */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/report.h"
#include "lib/base/error.h"

/* ---- verdicts ---- */

static int note_verdict(const struct verdict *v, void *data)
{
	struct explain_request *request = data;

	request->refused |= v->result.errnum != 0 || v->is_unknown;
	report_verdict(&request->report, v);
	if (v->place->is_last || !v->result.errnum || v->is_unknown || *request->report.closed)
		return 0;
	snprintf(request->report.closed, sizeof(request->report.closed), "%s", v->path);
	request->report.protects_link = v->result.rule == IDM_RULE_PROTECTED_LINK;
	return 0;
}

/* The layer of the directory also decides about a removal. */
static void note_removal(struct explain_request *request, const struct verdict *v)
{
	if (!(request->accesses >> IDM_ACCESS_UNLINK & 1))
		return;
	request->removal = *v;
	request->removal.facts.access = IDM_ACCESS_UNLINK;
	request->removal_judged = is_on_overlay(v) && judge_layer(&request->removal);
}

static void refuse_by_directory(const struct verdict *removal, struct verdict *v)
{
	snprintf(v->layer_reason, sizeof(v->layer_reason), "its directory: %.480s",
		 removal->layer_reason);
	v->reason = v->layer_reason;
	v->result.errnum = removal->result.errnum;
	v->is_unknown = removal->is_unknown;
	v->doubt = removal->doubt;
}

/* Returns whether all layers are known. */
static bool judge_layers(const struct explain_request *request, struct verdict *v)
{
	const struct verdict *removal = &request->removal;

	if (v->facts.access != IDM_ACCESS_UNLINK)
		return judge_layer(v);
	if (!request->removal_judged || !removal->result.errnum)
		return judge_layer(v) && request->removal_judged;
	refuse_by_directory(removal, v);
	return true;
}

/*
 * may_delete(): after the permission to write to the directory, the overlay looks at the file. In the
 * layer of the directory, that permission decides as well.
 */
static void judge_directory_first(const struct explain_request *request, struct verdict *v)
{
	const struct verdict *removal = &request->removal;
	bool is_late = v->result.rule == IDM_RULE_STICKY || v->result.rule == IDM_RULE_IMMUTABLE ||
		       v->result.rule == IDM_RULE_APPEND_ONLY;

	if (v->facts.access == IDM_ACCESS_UNLINK && is_late && request->removal_judged &&
	    removal->result.errnum && removal->is_refused_in_layer)
		refuse_by_directory(removal, v);
}

/* They show what they permit to read. A change, or a directory that several of them have, asks more. */
static void note_unseen_layers(struct explain_request *request, struct verdict *v)
{
	bool merges = S_ISDIR(v->facts.inode->mode);
	bool changes = v->facts.access != IDM_ACCESS_READ && v->facts.access != IDM_ACCESS_EXECUTE;

	request->report.unseen |= IDM_UNSEEN_LAYERS;
	v->is_unknown = v->place->is_last && (merges || changes);
}

/* Returns 0, for a refusal too, or -errno with the error filled in. */
static int find_verdict(struct explain_request *request, struct verdict *v, struct idm_error *err)
{
	int r = fill_in_verdict(v, err);

	if (r < 0)
		return r;
	/* The library does not see layers. */
	memset(v->copies, 0, sizeof(v->copies));
	if (is_on_overlay(v))
		memcpy(v->copies, request->copies, sizeof(v->copies));
	if (is_on_overlay(v) && v->result.errnum) {
		judge_directory_first(request, v);
		judge_layer_first(v);
	} else if (is_on_overlay(v) && !judge_layers(request, v)) {
		note_unseen_layers(request, v);
	}
	refuse_removal_elsewhere(v);
	refuse_busy_file(v);
	refuse_removed_directory(v);
	refuse_program(&request->report.privileges, v);
	if (!v->place->is_last)
		memcpy(request->copies, v->copies, sizeof(v->copies));
	if (!v->place->is_last && !v->result.errnum)
		note_removal(request, v);
	return note_verdict(v, request);
}

/* Most files are no programs. */
static unsigned int pick_accesses(uint32_t mode)
{
	const unsigned int read = 1U << IDM_ACCESS_READ, execute = 1U << IDM_ACCESS_EXECUTE;

	if (S_ISDIR(mode))
		return read | execute | 1U << IDM_ACCESS_CREATE;
	return read | 1U << IDM_ACCESS_WRITE | (mode & 0111 ? execute : 0);
}

/* A subvolume of btrfs and its directory can differ. */
static int judge_name(struct explain_request *request, struct verdict *v, struct idm_error *err)
{
	bool is_readonly = v->facts.fs_readonly;
	int r;

	v->facts.fs_readonly = request->directory.is_readonly;
	r = find_verdict(request, v, err);
	v->facts.fs_readonly = is_readonly;
	return r;
}

/* Without its directory, the library cannot judge whether the file can be removed. */
static int judge_removal(struct explain_request *request, struct verdict *v, struct idm_error *err)
{
	if (refuse_last_name(request->path, v))
		return note_verdict(v, request);
	if (v->facts.directory)
		return judge_name(request, v, err);
	if (is_covered_by_mount(v->place))
		return judge_mount_point(v, note_verdict, request, err);
	return idm_fail(err, -EINVAL, IDM_STEP_EXPLAIN, NULL, "expected a path that ends in a name");
}

static int judge_last_access(struct explain_request *request, struct verdict *v, struct idm_error *err)
{
	uint32_t mode = v->facts.inode->mode;

	if (v->facts.access == IDM_ACCESS_CREATE && !S_ISDIR(mode))
		return idm_fail(err, -ENOTDIR, IDM_STEP_EXPLAIN, NULL, "expected a directory, got a %s",
				type_word(mode));
	return v->facts.access == IDM_ACCESS_UNLINK ? judge_removal(request, v, err)
						    : find_verdict(request, v, err);
}

static int judge_last(struct explain_request *request, struct verdict *v, struct idm_error *err)
{
	unsigned int accesses = request->accesses;

	if (!accesses)
		accesses = pick_accesses(v->facts.inode->mode);
	v->facts.new_uid = request->new_uid;
	v->facts.new_gid = request->new_gid;
	for (enum idm_access access = IDM_ACCESS_READ; access <= IDM_ACCESS_CHOWN; access++) {
		int r;

		if (!(accesses >> access & 1))
			continue;
		v->facts.access = access;
		/* The common ones are not all wanted. A cure adds to those above it. */
		v->accesses = request->accesses ? accesses : accesses & ((2U << access) - 1);
		r = judge_last_access(request, v, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- a path ---- */

struct visit {
	struct explain_request *request;
	struct idm_error *err;
};

/* As the layer tells, for IDs of the facts that can stand for no owner. */
struct settled_owners {
	struct idm_explain_inode inode, directory;
};

static void note_last_directory(struct last_directory *directory, const struct verdict *v)
{
	*directory = (struct last_directory){
		.uid = v->facts.inode->uid,
		.gid = v->facts.inode->gid,
		.is_settled = v->has_certain_owner,
		.is_unseen = v->place->unseen & IDM_UNSEEN_OWNER && !v->has_certain_owner,
		.is_readonly = v->facts.fs_readonly,
	};
}

static void settle_owners(struct explain_request *request, struct verdict *v,
			  struct settled_owners *settled)
{
	const struct last_directory *owner = &request->directory;

	settle_owner(v, &settled->inode);
	if (!v->place->is_last)
		note_last_directory(&request->directory, v);
	else if (v->facts.directory && owner->is_settled) {
		settled->directory = *v->facts.directory;
		settled->directory.uid = owner->uid;
		settled->directory.gid = owner->gid;
		v->facts.directory = &settled->directory;
	} else if (v->facts.directory && owner->is_unseen) {
		v->has_certain_owner = false;
	}
}

static int note_type(const struct idm_explain_info *place, void *data)
{
	if (place->is_last)
		*(uint32_t *)data = place->facts->inode->mode;
	return 0;
}

/* Whether all accesses are about names in a directory: then no link at the end of PATH ends the path. */
static bool is_about_names(const struct explain_request *request)
{
	const unsigned int names = 1U << IDM_ACCESS_EXECUTE | 1U << IDM_ACCESS_CREATE;
	uint32_t mode = 0;

	return request->accesses && !(request->accesses & ~names) &&
	       idm_explain_path(request->subject.pid, request->path, 0, note_type, &mode, NULL) == 0 &&
	       S_ISDIR(mode);
}

/* Most links are followed, and then are no step. */
static int judge_link(struct explain_request *request, struct verdict *v, struct idm_error *err)
{
	int r = fill_in_verdict(v, err);

	if (r < 0 || (!v->result.errnum && !v->is_unknown))
		return r;
	if (v->result.rule == IDM_RULE_PROTECTED_LINK && is_about_names(request))
		return 0;
	r = report_path_place(&request->report, v, err);
	if (r == 0)
		r = fill_in_verdict(v, err);
	request->report.unseen |= v->place->unseen & ~(uint32_t)IDM_UNSEEN_LAYERS;
	return r < 0 ? r : note_verdict(v, request);
}

static uint32_t find_shown_owner(const struct verdict *v)
{
	uint32_t disk = v->facts.inode->uid, seen = disk;

	if (disk != IDM_EXPLAIN_NO_ID && v->facts.mount_map &&
	    idm_map_to_seen(v->facts.mount_map, IDM_UID, disk, &seen) < 0)
		return IDM_EXPLAIN_NO_ID;
	return seen;
}

static void note_way(struct exposed_way *way, const struct verdict *v)
{
	const struct idm_explain_inode *inode = v->facts.inode;
	bool is_unseen = v->place->unseen & IDM_UNSEEN_OWNER && !v->has_certain_owner;
	const struct way_place place = {
		.mode = inode->mode,
		.shown = find_shown_owner(v),
		.disk = is_unseen ? IDM_EXPLAIN_NO_ID : inode->uid,
		.mount = v->place->mount ? v->place->mount->id : 0,
		.is_foreign = v->place->unseen & IDM_UNSEEN_SERVER || v->facts.fs_map,
	};

	note_place_on_way(way, &place);
}

/* A directory on the way that refuses does not end the way: its cure may not be the only one. */
static int explain_step(const struct idm_explain_info *place, void *data)
{
	const struct visit *visit = data;
	struct explain_request *request = visit->request;
	struct verdict v = { .place = place,
			     .path = place->path,
			     .facts = IDM_EXPLAIN_OPTIONS_INIT,
			     .subject = &request->subject };
	struct settled_owners settled;
	uint32_t unseen = 0;
	int r;

	idm_explain_copy(place->facts, &v.facts);
	r = add_subject(&request->subject, place, &v.facts, &unseen, visit->err);
	request->uid = v.facts.fsuid;
	if (r == 0 && v.facts.access == IDM_ACCESS_FOLLOW)
		return judge_link(request, &v, visit->err);
	if (r == 0)
		settle_owners(request, &v, &settled);
	if (v.has_certain_owner)
		unseen &= ~IDM_UNSEEN_OWNER;
	if (r == 0)
		note_way(&request->way, &v);
	v.is_exposed = request->way.is_exposed;
	v.is_mount_exposed = request->way.is_mount_exposed;
	if (r == 0)
		r = report_path_place(&request->report, &v, visit->err);
	/* find_verdict() looks for them. */
	request->report.unseen |= is_on_overlay(&v) ? unseen & ~IDM_UNSEEN_LAYERS : unseen;
	if (r == 0)
		r = place->is_last ? judge_last(request, &v, visit->err)
				   : find_verdict(request, &v, visit->err);
	if (r == 0 && place->is_last && request->report.wants_owners)
		r = show_owners(&request->report, &v, visit->err);
	/* The library's errors about facts have no subject. */
	if (r < 0)
		idm_subject(visit->err, place->path);
	return r;
}

/* Whether the error is about the last name of the path. The library adds "./" to a relative one. */
static bool is_about_path(const struct idm_error *err, const char *path)
{
	char subject[sizeof(err->message)];
	const char *start = subject;

	idm_error_part(err, err->subject, subject, sizeof(subject));
	if (strncmp(subject, "./", 2) == 0 && strncmp(path, "./", 2) != 0)
		start += 2;
	return strcmp(start, path) == 0;
}

/* Of a file that does not exist yet, the directory decides. */
static void hint_directory(const struct explain_request *request, struct idm_error *err)
{
	const unsigned int accesses = 1U << IDM_ACCESS_CREATE | 1U << IDM_ACCESS_WRITE;
	size_t n = parent_length(request->path);

	if (err->errnum == ENOENT && request->accesses & accesses && is_about_path(err, request->path))
		idm_hint(err, "for a new file, name its directory: --create %.*s", n ? (int)n : 1,
			 n ? request->path : ".");
}

int explain_requested_path(struct explain_request *request, const char *path)
{
	struct idm_error err;
	struct visit visit = { request, &err };
	int r;

	request->path = path;
	memset(request->copies, 0, sizeof(request->copies));
	request->removal_judged = false;
	request->way = (struct exposed_way){ 0 };
	request->directory = (struct last_directory){ 0 };
	request->uid = IDM_EXPLAIN_NO_ID;
	begin_path_report(&request->report, path);
	r = idm_explain_path(request->subject.pid, path,
			     request->accesses == 1U << IDM_ACCESS_UNLINK ? IDM_EXPLAIN_NOFOLLOW : 0,
			     explain_step, &visit, &err);
	if (r < 0 && *request->report.closed) {
		note_unreached(&request->report, &err);
	} else if (r < 0) {
		hint_directory(request, &err);
		report_path_error(&request->report, &err, &request->subject, request->uid);
	}
	end_path_report(&request->report);
	return r < 0 && !*request->report.closed ? FAILED : DONE;
}
