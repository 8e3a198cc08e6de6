// SPDX-License-Identifier: MIT
/* What is found out about a path, as text or as JSON. */
#include "report.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "draw.h"
#include "lib/base/error.h"

/* Of the members of a path: the array, and the object in it. */
#define PATH_DEPTH 2

static void note_layer(struct report *report, const struct verdict *v)
{
	struct layer_file file;

	if (!v->place->is_last || !is_on_overlay(v))
		return;
	find_layer_file(v, &file);
	strcpy(report->layer, file.path);
	free_layer_file(&file);
}

static void note_owner_map(struct report *report, const struct verdict *v)
{
	if (!v->place->is_last || !lacks_inside_owner(v) ||
	    !describe_owner_map(v, report->to_own, sizeof(report->to_own)))
		*report->to_own = '\0';
}

static void add_verdict(struct json *json, const char *closed, const struct verdict *v)
{
	char text[VERDICT_TEXT];
	bool refused = v->result.errnum != 0;

	json_open(json, NULL, '{');
	json_add_name(json, "path", v->path);
	json_add_string(json, "access", access_word(v->facts.access, S_ISDIR(v->facts.inode->mode)));
	if (v->is_unknown)
		json_add_string(json, "allowed", NULL);
	else
		json_add_bool(json, "allowed", !refused);
	json_add_string(json, "errno", refused ? idm_errno_name(v->result.errnum) : NULL);
	if (refused)
		describe_refusal(v, text, sizeof(text));
	else if (v->is_unknown)
		strcpy(text, unknown_text(v));
	json_add_string(json, "reason", refused || v->is_unknown ? text : NULL);
	json_add_name(json, "cure", refused && describe_cure(v, text, sizeof(text)) ? text : NULL);
	json_add_string(json, "toUseGroup",
			refused && describe_kept_groups(v, text, sizeof(text)) ? text : NULL);
	json_add_string(json, "errnoWithCreate",
			v->overwrite_errnum && !(v->place->unseen & IDM_UNSEEN_PROTECTION)
				? idm_errno_name(v->overwrite_errnum)
				: NULL);
	json_add_name(json, "behind", *closed ? closed : NULL);
	json_close(json);
}

/* In a rootless container, its own root may do it, if that has a number for the owner. */
static void note_required_user(struct report *report, const struct verdict *v)
{
	report->requires_root = true;
	report->has_unshare_cure |= is_rootless_container(v->subject->pid) && !lacks_inside_owner(v);
}

/* A name in a directory is looked up behind such a link, which then does not end the path. */
static const char *closed_for(const struct report *report, const struct verdict *v)
{
	bool is_name_inside = v->place->is_last && S_ISDIR(v->facts.inode->mode) &&
			      (v->facts.access == IDM_ACCESS_EXECUTE ||
			       v->facts.access == IDM_ACCESS_CREATE);

	return report->protects_link && is_name_inside ? "" : report->closed;
}

/* Whether the process passes there or not, the caller sees what is behind it. */
static void begin_behind(struct report *report)
{
	if (!*report->closed || report->has_begun_behind)
		return;
	report->has_begun_behind = true;
	print_row(MARK_NONE, "behind   what follows is behind %s, as if the process had got through",
		  report->closed);
}

void report_verdict(struct report *report, const struct verdict *v)
{
	if (report->as_json && is_cured_by_owner_map(v) &&
	    !describe_owner_map(v, report->to_own, sizeof(report->to_own)))
		*report->to_own = '\0';
	if (report->as_json) {
		add_verdict(&report->json, closed_for(report, v), v);
		return;
	}
	if (!print_verdict(v))
		return;
	report->cures++;
	if (cure_requires_root(v))
		note_required_user(report, v);
}

/* The IDs that the mount shows are those of any access, and of a symbolic link those of any file. */
static int show_ids(struct verdict *v, struct idm_error *err)
{
	struct idm_explain_inode inode = IDM_EXPLAIN_INODE_INIT;
	struct idm_explain_options facts = v->facts;

	facts.access = IDM_ACCESS_READ;
	inode.mode = S_IFREG;
	inode.uid = v->facts.inode->uid;
	inode.gid = v->facts.inode->gid;
	facts.inode = &inode;
	v->result = (struct idm_explain_result)IDM_EXPLAIN_RESULT_INIT;
	return idm_explain(&facts, &v->result, err);
}

int report_path_place(struct report *report, struct verdict *v, struct idm_error *err)
{
	int r = show_ids(v, err);

	if (r < 0)
		return r;
	find_privileges(v, &report->privileges);
	if (report->as_json && v->place->is_last) {
		json_begin_members(&report->facts, PATH_DEPTH);
		note_facts(&report->facts, v);
	}
	if (report->as_json) {
		note_layer(report, v);
		note_owner_map(report, v);
		return 0;
	}
	if (!report->has_process)
		print_process(&v->facts);
	report->has_process = true;
	begin_behind(report);
	print_place(v);
	if (print_privileges(&report->privileges))
		report->requires_root |= geteuid() != 0;
	return 0;
}

static void report_unseen(struct report *report)
{
	if (report->as_json)
		json_open(&report->json, "unseen", '[');
	for (uint32_t bit = 1; bit; bit <<= 1) {
		if (!(report->unseen & bit))
			continue;
		if (report->as_json)
			json_add_string(&report->json, NULL, unseen_text(bit));
		else
			print_row(MARK_NONE, "note     %s", unseen_text(bit));
	}
	if (report->as_json)
		json_close(&report->json);
}

void begin_path_report(struct report *report, const char *path)
{
	report->unseen = 0;
	report->cures = 0;
	report->requires_root = report->has_unshare_cure = false;
	report->has_begun_behind = report->protects_link = false;
	*report->layer = *report->to_own = *report->closed = *report->unreached = '\0';
	report->owners = (struct owners){ 0 };
	report->error.errnum = 0;
	report->privileges = (struct privileges){ 0 };
	report->has_process = false;
	if (!report->as_json) {
		print_line("%s", path);
		return;
	}
	json_open(&report->json, NULL, '{');
	json_add_name(&report->json, "path", path);
	json_open(&report->json, "steps", '[');
}

/* Root can become each user. The groups of the process can decide, too. */
static void hint_caller(struct idm_error *err, const struct subject *s, uint32_t uid)
{
	char admits[sizeof(err->hint)] = "";

	if (err->step != IDM_STEP_LOOK_UP_PATH || uid == IDM_EXPLAIN_NO_ID)
		return;
	if (is_rootless_container(s->pid)) {
		idm_hint(err,
			 "run it as podman unshare idmount explain, as root of the rootless container's "
			 "user namespace");
		return;
	}
	if (strstr(err->hint, "FUSE"))
		strcpy(admits, err->hint);
	idm_hint(err,
		 "%s%srun idmount explain as a user who may look there; the user of the process is %u",
		 admits, *admits ? "; " : "", uid);
}

void note_unreached(struct report *report, const struct idm_error *err)
{
	snprintf(report->unreached, sizeof(report->unreached), "%s", err->message);
}

int report_path_error(struct report *report, struct idm_error *err, const struct subject *s,
		      uint32_t uid)
{
	hint_caller(err, s, uid);
	report->error = *err;
	return report_error(err);
}

static void add_error(struct json *json, const struct idm_error *err)
{
	char path[sizeof(err->message)];

	if (!err->errnum) {
		json_add_string(json, "error", NULL);
		return;
	}
	json_open(json, "error", '{');
	idm_error_part(err, err->subject, path, sizeof(path));
	json_add_string(json, "step", idm_error_step_text(err->step));
	json_add_name(json, "path", path);
	json_add_string(json, "errno", idm_errno_name(err->errnum));
	json_close(json);
}

static void add_facts(struct report *report)
{
	if (report->facts.n) {
		json_add_members(&report->json, &report->facts);
		return;
	}
	json_add_string(&report->json, "process", NULL);
	json_add_string(&report->json, "file", NULL);
	json_add_string(&report->json, "mount", NULL);
}

static void add_last_members(struct report *report)
{
	json_close(&report->json);
	add_facts(report);
	json_add_name(&report->json, "layer", *report->layer ? report->layer : NULL);
	json_add_name(&report->json, "toOwn", *report->to_own ? report->to_own : NULL);
	add_privileges(&report->json, &report->privileges);
	add_error(&report->json, &report->error);
	if (report->wants_owners)
		add_owners(&report->json, &report->owners);
	free_owners(&report->owners);
}

static void print_cure_notes(const struct report *report)
{
	if (report->requires_root)
		print_row(MARK_NONE, "note     run the cures as root%s",
			  report->has_unshare_cure
				  ? ", or those that podman unshare idmount explain shows"
				  : "");
	if (report->has_begun_behind && report->cures > 1)
		print_row(MARK_NONE, "note     run the cures in this order");
	if (*report->unreached)
		print_row(MARK_NONE,
			  "note     run this command again after the cure: what is behind that "
			  "directory is not judged: %s",
			  report->unreached);
}

void end_path_report(struct report *report)
{
	if (report->as_json)
		add_last_members(report);
	report_unseen(report);
	if (report->as_json)
		json_close(&report->json);
	else
		print_cure_notes(report);
}
