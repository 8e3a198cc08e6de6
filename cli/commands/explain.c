// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/command.h"
#include "cli/common/report.h"
#include "cli/explain/report.h"
#include "lib/base/error.h"

enum {
	OPTION_PID = LONG_ONLY,
	OPTION_CONTAINER,
	OPTION_USER,
	OPTION_USERNS,
	OPTION_READ,
	OPTION_WRITE,
	OPTION_EXEC,
	OPTION_CREATE,
	OPTION_UNLINK,
	OPTION_CHMOD,
	OPTION_CHOWN,
	OPTION_OWNERS,
	OPTION_JSON
};

static const struct option_row options[] = {
	{ OPTION_PID, "pid", "PID", "the process; without it, this one" },
	{ OPTION_CONTAINER, "container", "ID", "the first process of the container" },
	{ OPTION_USER, "user", "USER[:GROUP]", "with the credentials of that user" },
	{ OPTION_USERNS, "userns", "PID", "in the user namespace of that process" },
	{ OPTION_READ, "read", NULL, "open PATH to read" },
	{ OPTION_WRITE, "write", NULL, "open PATH to write" },
	{ OPTION_EXEC, "exec", NULL, "execute PATH; of a directory, search it" },
	{ OPTION_CREATE, "create", NULL, "create a file in the directory PATH" },
	{ OPTION_UNLINK, "unlink", NULL, "remove PATH" },
	{ OPTION_CHMOD, "chmod", NULL, "change the mode" },
	{ OPTION_CHOWN, "chown", "UID[:GID]", "change the owner, as the process counts IDs" },
	{ OPTION_OWNERS, "owners", NULL, "of the files below the directory PATH, as a table" },
	{ OPTION_JSON, "json", NULL, "print a JSON array" },
	{ 0 },
};

static const char details[] =
	"Shows each step on the way to PATH, as the process sees it, and what the kernel's rules decide:\n"
	"directories, the file, the mount with its map, the process. A refusal comes with its reason\n"
	"and, where one command removes it, with that command. Nothing is changed. Without an access,\n"
	"the common ones are shown. Exit status: 1 if an access in the options is refused.\n";

struct request {
	struct subject subject;
	struct report report;
	unsigned int accesses; /* 1 << IDM_ACCESS_*; 0: the common ones */
	uint32_t new_uid, new_gid;
	bool refused;
	struct layer_copy copies[MOUNTERS_MOST]; /* of the directories on the way */
	const char *path;			 /* as it is in the command line */
	struct verdict removal; /* of a file in the last directory on the way, by its layer */
	bool removal_judged;
	uint32_t uid; /* of the process; IDM_EXPLAIN_NO_ID: not known yet */
	struct directory_owner {
		uint32_t uid, gid;
		bool is_settled, is_unseen;
	} directory; /* the last one on the way */
};

/* ---- verdicts ---- */

static int note_verdict(const struct verdict *v, void *data)
{
	struct request *request = data;

	request->refused |= v->result.errnum != 0 || v->is_unknown;
	report_verdict(&request->report, v);
	if (v->place->is_last || !v->result.errnum || v->is_unknown || *request->report.closed)
		return 0;
	snprintf(request->report.closed, sizeof(request->report.closed), "%s", v->path);
	request->report.protects_link = v->result.rule == IDM_RULE_PROTECTED_LINK;
	return 0;
}

/* The layer of the directory also decides about a removal. */
static void note_removal(struct request *request, const struct verdict *v)
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
static bool judge_layers(const struct request *request, struct verdict *v)
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
static void judge_directory_first(const struct request *request, struct verdict *v)
{
	const struct verdict *removal = &request->removal;
	bool is_late = v->result.rule == IDM_RULE_STICKY || v->result.rule == IDM_RULE_IMMUTABLE ||
		       v->result.rule == IDM_RULE_APPEND_ONLY;

	if (v->facts.access == IDM_ACCESS_UNLINK && is_late && request->removal_judged &&
	    removal->result.errnum && removal->is_refused_in_layer)
		refuse_by_directory(removal, v);
}

/* They show what they permit to read. A change, or a directory that several of them have, asks more. */
static void note_unseen_layers(struct request *request, struct verdict *v)
{
	bool merges = S_ISDIR(v->facts.inode->mode);
	bool changes = v->facts.access != IDM_ACCESS_READ && v->facts.access != IDM_ACCESS_EXECUTE;

	request->report.unseen |= IDM_UNSEEN_LAYERS;
	v->is_unknown = v->place->is_last && (merges || changes);
}

/* Returns 0, for a refusal too, or -errno with the error filled in. */
static int find_verdict(struct request *request, struct verdict *v, struct idm_error *err)
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

/* Without its directory, the library cannot judge whether the file can be removed. */
static int judge_removal(struct request *request, struct verdict *v, struct idm_error *err)
{
	if (refuse_last_name(request->path, v))
		return note_verdict(v, request);
	if (v->facts.directory)
		return find_verdict(request, v, err);
	if (is_covered_by_mount(v->place))
		return judge_mount_point(v, note_verdict, request, err);
	return idm_fail(err, -EINVAL, IDM_STEP_EXPLAIN, NULL, "expected a path that ends in a name");
}

static int judge_last_access(struct request *request, struct verdict *v, struct idm_error *err)
{
	uint32_t mode = v->facts.inode->mode;

	if (v->facts.access == IDM_ACCESS_CREATE && !S_ISDIR(mode))
		return idm_fail(err, -ENOTDIR, IDM_STEP_EXPLAIN, NULL, "expected a directory, got a %s",
				type_word(mode));
	return v->facts.access == IDM_ACCESS_UNLINK ? judge_removal(request, v, err)
						    : find_verdict(request, v, err);
}

static int judge_last(struct request *request, struct verdict *v, struct idm_error *err)
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
	struct request *request;
	struct idm_error *err;
};

/* As the layer tells, for IDs of the facts that can stand for no owner. */
struct settled_owners {
	struct idm_explain_inode inode, directory;
};

static void note_directory_owner(struct directory_owner *owner, const struct verdict *v)
{
	*owner =
		(struct directory_owner){ v->facts.inode->uid, v->facts.inode->gid, v->has_certain_owner,
					  v->place->unseen & IDM_UNSEEN_OWNER && !v->has_certain_owner };
}

static void settle_owners(struct request *request, struct verdict *v, struct settled_owners *settled)
{
	const struct directory_owner *owner = &request->directory;

	settle_owner(v, &settled->inode);
	if (!v->place->is_last)
		note_directory_owner(&request->directory, v);
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
static bool is_about_names(const struct request *request)
{
	const unsigned int names = 1U << IDM_ACCESS_EXECUTE | 1U << IDM_ACCESS_CREATE;
	uint32_t mode = 0;

	return request->accesses && !(request->accesses & ~names) &&
	       idm_explain_path(request->subject.pid, request->path, 0, note_type, &mode, NULL) == 0 &&
	       S_ISDIR(mode);
}

/* Most links are followed, and then are no step. */
static int judge_link(struct request *request, struct verdict *v, struct idm_error *err)
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

/* A directory on the way that refuses does not end the way: its cure may not be the only one. */
static int explain_step(const struct idm_explain_info *place, void *data)
{
	const struct visit *visit = data;
	struct request *request = visit->request;
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

static int explain_one(struct request *request, const char *path)
{
	struct idm_error err;
	struct visit visit = { request, &err };
	int r;

	request->path = path;
	memset(request->copies, 0, sizeof(request->copies));
	request->removal_judged = false;
	request->directory = (struct directory_owner){ 0 };
	request->uid = IDM_EXPLAIN_NO_ID;
	begin_path_report(&request->report, path);
	r = idm_explain_path(request->subject.pid, path,
			     request->accesses == 1U << IDM_ACCESS_UNLINK ? IDM_EXPLAIN_NOFOLLOW : 0,
			     explain_step, &visit, &err);
	if (r < 0 && *request->report.closed)
		note_unreached(&request->report, &err);
	else if (r < 0)
		report_path_error(&request->report, &err, &request->subject, request->uid);
	end_path_report(&request->report);
	return r < 0 && !*request->report.closed ? FAILED : DONE;
}

/* ---- the command line ---- */

static int parse_owner(struct request *request, const char *text)
{
	const char *rest = text;

	if (*text != ':' && !parse_id_until(text, ':', &request->new_uid, &rest))
		return report_usage("--chown: %s: expected UID, UID:GID or :GID", text);
	if (*text == ':')
		rest = text + 1;
	if ((*rest || *text == ':') && !parse_id_until(rest, '\0', &request->new_gid, &rest))
		return report_usage("--chown: %s: expected UID, UID:GID or :GID", text);
	return DONE;
}

static int parse_process(const char *option, const char *text, pid_t *pid)
{
	uint32_t number;
	const char *rest;

	if (!parse_id_until(text, '\0', &number, &rest) || !number || number > INT32_MAX)
		return report_usage("--%s: %s: expected a process number", option, text);
	*pid = (pid_t)number;
	return DONE;
}

static int read_option(struct request *request, int letter, const char *value)
{
	switch (letter) {
	case OPTION_PID:
		return parse_process("pid", value, &request->subject.pid);
	case OPTION_USERNS:
		return parse_process("userns", value, &request->subject.userns_pid);
	case OPTION_CONTAINER:
		request->subject.container = value;
		return DONE;
	case OPTION_USER:
		request->subject.user = value;
		return DONE;
	case OPTION_OWNERS:
		request->report.wants_owners = true;
		return DONE;
	case OPTION_JSON:
		request->report.as_json = true;
		return DONE;
	default:
		request->accesses |= 1U << (letter - OPTION_READ + IDM_ACCESS_READ);
		return letter == OPTION_CHOWN ? parse_owner(request, value) : DONE;
	}
}

static int explain_all(struct request *request, char *const *paths, size_t n)
{
	int status = DONE;

	if (request->report.as_json)
		json_open(&request->report.json, NULL, '[');
	for (size_t i = 0; i < n; i++)
		if (explain_one(request, paths[i]) != DONE)
			status = FAILED;
	if (request->report.as_json)
		json_print(&request->report.json);
	return request->accesses && request->refused ? FAILED : status;
}

static int run_explain(int argc, char **argv)
{
	struct arguments a = { .command = &command_explain, .argc = argc, .argv = argv };
	struct request request = { .new_uid = IDM_EXPLAIN_NO_ID, .new_gid = IDM_EXPLAIN_NO_ID };
	char **paths;
	int letter, status;
	size_t n;

	while ((letter = next_command_option(&a)) > 0)
		if (read_option(&request, letter, a.value) != DONE)
			return USAGE;
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	n = operands(&a, &paths);
	if (!n)
		return report_operands(&a, "PATH");
	status = prepare_subject(&request.subject);
	if (status == FAILED && request.report.as_json)
		print_line("[]");
	if (status == DONE)
		status = explain_all(&request, paths, n);
	if (check_container_alive(&request.subject) != DONE)
		status = FAILED;
	free_subject(&request.subject);
	return status;
}

const struct command command_explain = {
	.name = "explain",
	.operands = "PATH...",
	.summary = "show why access to a file is refused, and what cures it",
	.details = details,
	.options = options,
	.run = run_explain,
};
