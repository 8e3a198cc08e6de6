// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/columns.h"
#include "cli/common/command.h"
#include "cli/common/json-print.h"
#include "cli/common/report.h"
#include "cli/explain/layer.h"
#include "cli/explain/owners.h"
#include "cli/explain/verdict.h"
#include "lib/base/error.h"
#include "lib/base/mount-attr.h"

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
	unsigned int accesses; /* 1 << IDM_ACCESS_*; 0: the common ones */
	uint32_t new_uid, new_gid;
	bool as_json;
	bool wants_owners;
	struct json json;
	bool refused;
	bool has_process; /* its line is printed */
	const char *path; /* as it is in the command line */
	uint32_t unseen;
	char layer[PATH_MAX]; /* JSON: the file in a layer of an overlay */
	struct owners owners; /* JSON */
};

/* ---- the parts of the text ---- */

/* "0:100000:65536", or what stands for it. */
static char *format_map(const struct idm_map *map, const char *none)
{
	ssize_t n = map ? idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, NULL, 0) : 0;
	char *text;

	if (n <= 0)
		return strdup(map ? "empty" : none);
	text = malloc((size_t)n + 1);
	if (text)
		idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, text, (size_t)n + 1);
	return text;
}

static void print_process(struct request *request, const struct idm_explain_options *facts)
{
	char *map = format_map(facts->userns_map, "that of the caller");
	char groups[256] = "";

	for (size_t i = 0, n = 0; i < facts->n_groups && n + 16 < sizeof(groups); i++)
		n += (size_t)snprintf(groups + n, sizeof(groups) - n, " %u", facts->groups[i]);
	print_line("  process  user %u, group %u, groups%s", facts->fsuid, facts->fsgid,
		   *groups ? groups : " none");
	print_line("           capabilities %llx, user namespace: %s",
		   (unsigned long long)facts->capabilities, map ? map : "?");
	free(map);
	request->has_process = true;
}

static const char *format_id(uint32_t id, char buf[16])
{
	snprintf(buf, 16, "%u", id);
	if (is_hidden_id(id))
		return "not visible";
	return id == IDM_EXPLAIN_NO_ID ? "unmapped" : buf;
}

static void print_inode(const char *label, const char *path, const struct idm_explain_inode *inode)
{
	char uid[16], gid[16];

	print_line("  %-8s %s: owner %s, group %s, mode %04o%s%s%s", label, path,
		   format_id(inode->uid, uid), format_id(inode->gid, gid), inode->mode & 07777U,
		   inode->flags & IDM_INODE_ACL ? ", ACL" : "",
		   inode->flags & IDM_INODE_IMMUTABLE ? ", immutable" : "",
		   inode->flags & IDM_INODE_APPEND ? ", append only" : "");
}

static void print_acl(const struct idm_explain_inode *inode)
{
	for (size_t i = 0; i < inode->n_acl; i++) {
		const struct idm_acl_entry *e = &inode->acl[i];
		char id[16];

		print_line("           %s:%s:%s%s%s", e->kind == IDM_UID ? "user" : "group",
			   e->id == IDM_EXPLAIN_NO_ID ? "unknown" : format_id(e->id, id),
			   e->permissions & 4 ? "r" : "-", e->permissions & 2 ? "w" : "-",
			   e->permissions & 1 ? "x" : "-");
	}
}

static void print_mount(const struct idm_explain_info *place)
{
	static const char *const suffixes[] = { [IDM_MAP_PARTLY] = " (partly visible)",
						[IDM_MAP_INVISIBLE] = "not visible from here",
						[IDM_MAP_UNREADABLE] = "not readable on this kernel" };
	const struct idm_mount_info *mount = place->mount;
	bool unseen = mount && place->unseen & IDM_UNSEEN_MOUNT_MAP;
	const char *suffix = unseen ? suffixes[mount->map_state] : "";
	char *map = unseen && !mount->map
			    ? strdup("")
			    : format_map(unseen ? mount->map : place->facts->mount_map, "none");
	char flags[256];

	idm_describe_attr(place->facts->attr, mount ? mount->propagation : IDM_PROPAGATION_DEFAULT,
			  flags, sizeof(flags));
	print_line("  mount    %s on %s, %s, map: %s%s", mount ? mount->fstype : "?",
		   mount ? mount->target : "?", flags, map ? map : "?", suffix);
	free(map);
}

static void print_layer_file(const struct layer_file *file)
{
	char *map = format_map(file->map, file->map_unseen ? "not visible" : "none");
	char name[32] = "upper", uid[16], gid[16];

	if (file->lower)
		snprintf(name, sizeof(name), "lower %u", file->lower);
	if (*file->path)
		print_line("  layer    %s, %s: owner %s, group %s, map: %s", name, file->path,
			   format_id(file->uid, uid), format_id(file->gid, gid), map ? map : "?");
	else
		print_line("  layer    not visible");
	free(map);
}

static void show_layer(struct request *request, const struct verdict *v)
{
	struct layer_file file;

	if (!is_on_overlay(v))
		return;
	find_layer_file(v, &file);
	if (request->as_json)
		strcpy(request->layer, file.path);
	else
		print_layer_file(&file);
	free_layer_file(&file);
}

/* stat(2) shows such an owner as the overflow ID, user nobody as a rule. */
static void print_unknown_owner(const struct verdict *v)
{
	const struct idm_mount_info *mount = v->place->mount;
	char text[2 * VERDICT_TEXT];
	bool lost = v->result.uid == IDM_EXPLAIN_NO_ID && mount && mount->map_state != IDM_MAP_NONE;

	print_line("           inside: owner unmapped, since %s",
		   lost ? "the mount does not map it" : "the user namespace has no number for it");
	if (describe_owner_map(v, text, sizeof(text)))
		print_line("           to own it: %s", text);
}

/* As stat(2) shows it to the process, too. */
static void print_seen(const struct verdict *v)
{
	const struct idm_explain_options *facts = &v->facts;
	uint32_t inside;
	char uid[16], gid[16];

	print_line("  seen     owner %s, group %s, as the mount shows them",
		   format_id(v->result.uid, uid), format_id(v->result.gid, gid));
	if (!facts->userns_map)
		return;
	if (v->result.uid != IDM_EXPLAIN_NO_ID &&
	    idm_map_to_disk(facts->userns_map, IDM_UID, v->result.uid, &inside) == 0)
		print_line("           inside: owner %u", inside);
	else
		print_unknown_owner(v);
}

static void print_place(struct request *request, const struct verdict *v)
{
	if (!v->place->is_last) {
		print_inode("way", v->path, v->facts.inode);
		return;
	}
	print_inode("file", v->path, v->facts.inode);
	print_acl(v->facts.inode);
	print_mount(v->place);
	show_layer(request, v);
	print_seen(v);
	if (v->place->file_capabilities || v->facts.inode->mode & S_ISUID)
		print_line("           its capabilities or set-user-ID bit %s",
			   v->facts.attr & IDM_ATTR_NOSUID ? "do nothing: the mount has nosuid"
							   : "are those of the program");
}

/* ---- verdicts ---- */

static void print_verdict(const struct verdict *v)
{
	const char *word = access_word(v->facts.access, S_ISDIR(v->facts.inode->mode));
	char text[VERDICT_TEXT];

	if (!v->result.errnum) {
		if (v->place->is_last)
			print_line("  %-8s allowed", word);
		return;
	}
	describe_refusal(v, text, sizeof(text));
	print_line("  %-8s %s, %s: %s", word, v->is_unknown ? "not known" : "refused",
		   idm_errno_name(v->result.errnum), text);
	if (describe_cure(v, text, sizeof(text)))
		print_line("  cure     %s", text);
}

static void add_verdict(struct json *json, const struct verdict *v)
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
	json_add_string(json, "reason", refused ? text : NULL);
	if (refused && describe_cure(v, text, sizeof(text)))
		json_add_name(json, "cure", text);
	else
		json_add_string(json, "cure", NULL);
	json_close(json);
}

static int report_verdict(const struct verdict *v, void *data)
{
	struct request *request = data;

	request->refused |= v->result.errnum != 0;
	if (request->as_json)
		add_verdict(&request->json, v);
	else
		print_verdict(v);
	return v->result.errnum != 0 && !v->is_unknown;
}

/* Returns 1 if it is refused, or -errno with the error filled in. */
static int find_verdict(struct request *request, struct verdict *v, struct idm_error *err)
{
	int r = fill_in_verdict(v, err);

	return r < 0 ? r : report_verdict(v, request);
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
		return report_verdict(v, request);
	if (v->facts.directory)
		return find_verdict(request, v, err);
	if (is_mount_point(v->place))
		return judge_mount_point(v, report_verdict, request, err);
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

/* ---- owners ---- */

static void print_owners(const struct owners *owners)
{
	struct table table = { .columns = 5 };
	char text[24];

	table_cell(&table, "KIND");
	table_cell(&table, "DISK");
	table_cell(&table, "SEEN");
	table_cell(&table, "INSIDE");
	table_cell(&table, "FILES");
	for (size_t i = 0; i < owners->n; i++) {
		const struct owner *o = &owners->list[i];

		table_cell(&table, o->kind == IDM_UID ? "user" : "group");
		table_cell(&table, o->disk == IDM_EXPLAIN_NO_ID ? "?" : format_id(o->disk, text));
		table_cell(&table, format_id(o->seen, text));
		table_cell(&table, format_id(o->inside, text));
		snprintf(text, sizeof(text), "%llu", (unsigned long long)o->files);
		table_cell(&table, text);
	}
	if (!table_print(&table))
		out_of_memory();
	if (owners->has_more)
		print_line("  note     there are more files than these %d", OWNERS_FILES_MOST);
	if (owners->incomplete)
		print_line("  note     a directory could not be read");
}

static void add_owner_id(struct json *json, const char *key, uint32_t id)
{
	if (id == IDM_EXPLAIN_NO_ID)
		json_add_string(json, key, NULL);
	else
		json_add_number(json, key, id);
}

static void add_owners(struct json *json, const struct owners *owners)
{
	json_open(json, "owners", '[');
	for (size_t i = 0; i < owners->n; i++) {
		const struct owner *o = &owners->list[i];

		json_open(json, NULL, '{');
		json_add_string(json, "kind", o->kind == IDM_UID ? "user" : "group");
		add_owner_id(json, "disk", o->disk);
		add_owner_id(json, "seen", o->seen);
		add_owner_id(json, "inside", o->inside);
		json_add_number(json, "files", o->files);
		json_close(json);
	}
	json_close(json);
	json_add_bool(json, "complete", !owners->has_more && !owners->incomplete);
}

static int show_owners(struct request *request, const struct verdict *v, struct idm_error *err)
{
	struct owners owners;
	int r;

	if (!S_ISDIR(v->facts.inode->mode))
		return idm_fail(err, -ENOTDIR, IDM_STEP_EXPLAIN, NULL, "expected a directory, got a %s",
				type_word(v->facts.inode->mode));
	r = find_owners(v, &owners);
	if (r < 0)
		r = idm_fail(err, r, IDM_STEP_EXPLAIN, NULL, "count owners: %s", strerror(-r));
	else if (request->as_json)
		request->owners = owners;
	else
		print_owners(&owners);
	if (r < 0 || !request->as_json)
		free_owners(&owners);
	return r;
}

/* ---- a path ---- */

struct visit {
	struct request *request;
	struct idm_error *err;
};

/* The IDs that the mount shows are those of any access, and of a symbolic link those of any file. */
static int show_place(struct request *request, struct verdict *v, struct idm_error *err)
{
	struct idm_explain_inode inode = IDM_EXPLAIN_INODE_INIT;
	struct idm_explain_options facts = v->facts;
	int r;

	inode.mode = S_IFREG;
	inode.uid = v->facts.inode->uid;
	inode.gid = v->facts.inode->gid;
	facts.inode = &inode;
	v->result = (struct idm_explain_result)IDM_EXPLAIN_RESULT_INIT;
	r = idm_explain(&facts, &v->result, err);
	if (r < 0)
		return r;
	if (!request->has_process)
		print_process(request, &v->facts);
	print_place(request, v);
	return 0;
}

/* Returns 1 to stop: a directory on the way refuses. */
static int explain_step(const struct idm_explain_info *place, void *data)
{
	const struct visit *visit = data;
	struct request *request = visit->request;
	struct verdict v = { .place = place,
			     .path = place->path,
			     .facts = IDM_EXPLAIN_OPTIONS_INIT,
			     .subject = &request->subject };
	uint32_t unseen = 0;
	int r;

	idm_explain_copy(place->facts, &v.facts);
	r = add_subject(&request->subject, place, &v.facts, &unseen, visit->err);
	if (r == 0 && !request->as_json)
		r = show_place(request, &v, visit->err);
	else if (r == 0)
		show_layer(request, &v);
	request->unseen |= unseen;
	if (r == 0)
		r = place->is_last ? judge_last(request, &v, visit->err)
				   : find_verdict(request, &v, visit->err);
	if (r == 0 && place->is_last && request->wants_owners)
		r = show_owners(request, &v, visit->err);
	/* The library's errors about facts have no subject. */
	if (r < 0)
		idm_subject(visit->err, place->path);
	return r;
}

static void print_unseen(struct request *request)
{
	if (request->as_json)
		json_open(&request->json, "unseen", '[');
	for (uint32_t bit = 1; bit; bit <<= 1) {
		if (!(request->unseen & bit))
			continue;
		if (request->as_json)
			json_add_string(&request->json, NULL, unseen_text(bit));
		else
			print_line("  note     %s", unseen_text(bit));
	}
	if (request->as_json)
		json_close(&request->json);
}

static int explain_one(struct request *request, const char *path)
{
	struct idm_error err;
	struct visit visit = { request, &err };
	int r;

	request->path = path;
	request->unseen = 0;
	*request->layer = '\0';
	request->owners = (struct owners){ 0 };
	request->has_process = false;
	if (request->as_json) {
		json_open(&request->json, NULL, '{');
		json_add_name(&request->json, "path", path);
		json_open(&request->json, "steps", '[');
	} else {
		print_line("%s", path);
	}
	r = idm_explain_path(request->subject.pid, path,
			     request->accesses == 1U << IDM_ACCESS_UNLINK ? IDM_EXPLAIN_NOFOLLOW : 0,
			     explain_step, &visit, &err);
	if (request->as_json) {
		json_close(&request->json);
		if (*request->layer)
			json_add_name(&request->json, "layer", request->layer);
		else
			json_add_string(&request->json, "layer", NULL);
		if (request->wants_owners)
			add_owners(&request->json, &request->owners);
		free_owners(&request->owners);
	}
	print_unseen(request);
	if (request->as_json)
		json_close(&request->json);
	return r < 0 ? report_error(&err) : DONE;
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
		request->wants_owners = true;
		return DONE;
	case OPTION_JSON:
		request->as_json = true;
		return DONE;
	default:
		request->accesses |= 1U << (letter - OPTION_READ + IDM_ACCESS_READ);
		return letter == OPTION_CHOWN ? parse_owner(request, value) : DONE;
	}
}

static int explain_all(struct request *request, char *const *paths, size_t n)
{
	int status = DONE;

	if (request->as_json)
		json_open(&request->json, NULL, '[');
	for (size_t i = 0; i < n; i++)
		if (explain_one(request, paths[i]) != DONE)
			status = FAILED;
	if (request->as_json)
		json_print(&request->json);
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
