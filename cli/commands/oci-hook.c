// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/command.h"
#include "cli/common/input.h"
#include "cli/common/container-userns.h"
#include "cli/common/plan-exposure.h"
#include "cli/common/plan-harden.h"
#include "cli/common/report.h"
#include "lib/base/error.h"
#include "oci/hook-output.h"
#include "oci/oci.h"
#include "oci/plan-view.h"
#include "oci/policy-file.h"
#include "oci/runtime.h"

enum { OPTION_MAP = LONG_ONLY, OPTION_HANDLER, OPTION_LOG, OPTION_LOG_FORMAT };

static const struct option_row options[] = {
	{ OPTION_MAP, "map", "VALUE/DESTINATION",
	  "a map that the engine asks for, as oci-runtime passes it on;\n"
	  "VALUE is as in an annotation, but no rule limits it" },
	{ OPTION_HANDLER, "handler", "NAME", "the runtime handler, for the rules" },
	{ OPTION_LOG, "log", "FILE", "the runtime's log, for errors" },
	{ OPTION_LOG_FORMAT, "log-format", "text|json", "the format of that file" },
	{ 0 },
};

static const char details[] =
	"For the list \"createRuntime\" of hooks in config.json, or for the hooks.d of an engine:\n"
	"  {\"path\": \"/usr/bin/idmount\", \"args\": [\"idmount\", \"oci-hook\"]}\n"
	"Reads the container's state from standard input, as runtimes write it. Maps each mount of\n"
	"the bundle that has uidMappings and gidMappings, the option idmap or ridmap, or an annotation\n"
	"  \"io.idmount.map/DESTINATION\": \"0:100000:65536\"\n"
	"or io.idmount.maps (io.idmount.maps/CONTAINER for one container of a pod) with a value\n"
	"  {\"/DESTINATION\": \"0:100000:65536\"}\n"
	"and replaces the runtime's mount by it. A map by itself reaches as far as the mount is\n"
	"bound. idmap=MAP is for that mount alone, ridmap=MAP for all mounts below it too. idmap and\n"
	"ridmap without a map use the container's own. If anything fails, nothing is mounted, and the\n"
	"container does not start. " IDM_POLICY_FILE " lists the maps that annotations may ask\n"
	"for. Without that file pods of Kubernetes get none, and other containers get each map that\n"
	"does not have disk ID 0.\n"
	"\n";

/* ---- the output ---- */

/* Returns FAILED if messages would still be written there. */
static int discard_output(int fd)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int status = null >= 0 && dup2(null, fd) >= 0 ? DONE : FAILED;

	if (null >= 0)
		close(null);
	return status;
}

/*
 * The author of an image can name any file of the host's for the output of hooks. All messages about
 * the text can have words of that author. The runtime's log still gets them.
 */
static int protect_files_of_host(const char *text, size_t length)
{
	int status = DONE;

	if (is_output_redirected(text, length, OCI_HOOK_STDERR))
		status = discard_output(STDERR_FILENO);
	if (status == DONE && is_output_redirected(text, length, OCI_HOOK_STDOUT))
		status = discard_output(STDOUT_FILENO);
	return status;
}

/* That author can make the text too long to be read. Then the files that it names are not known. */
static int report_unread_text(const char *name, int code)
{
	if ((code == -EFBIG || code == -ENOMEM) &&
	    (discard_output(STDERR_FILENO) != DONE || discard_output(STDOUT_FILENO) != DONE))
		return FAILED;
	return report_unread_file(name, code);
}

/* read_file(), before any message about the text. */
static int read_guarded_text(const char *name, char **text, size_t *length)
{
	int r = load_file(name, text, length);

	return r < 0 ? report_unread_text(name, r) : protect_files_of_host(*text, *length);
}

/* ---- the state ---- */

struct state {
	char *bundle;
	uint32_t pid;
	/* Of the command line. */
	char **requests;
	size_t n_requests;
	const char *handler;
};

static int read_member(const struct idm_json *state, const char *key, struct idm_json *member,
		       struct idm_error *err)
{
	return idm_json_member(state, key, member) ? 0
						   : idm_json_fail(state, err, "\"%s\" is missing", key);
}

static int read_pid(struct state *s, const struct idm_json *state, struct idm_error *err)
{
	struct idm_json pid;
	int r = read_member(state, "pid", &pid, err);

	if (r == 0)
		r = idm_json_uint32(&pid, &s->pid, err);
	if (r == 0 && (s->pid == 0 || s->pid > INT32_MAX))
		return idm_json_fail(&pid, err, "expected a process number, got %u", s->pid);
	return r;
}

static int read_bundle(struct state *s, const struct idm_json *state, struct idm_error *err)
{
	struct idm_json bundle;
	const char *path = NULL;
	int r = read_member(state, "bundle", &bundle, err);

	if (r == 0)
		r = idm_json_string(&bundle, &path, err);
	if (r == 0 && *path != '/')
		return idm_json_fail(&bundle, err, "expected an absolute path, got \"%s\"", path);
	if (r != 0)
		return r;
	s->bundle = strdup(path);
	return s->bundle
		       ? 0
		       : idm_fail(err, -ENOMEM, IDM_STEP_READ_STATE, NULL, "%s", idm_errno_text(ENOMEM));
}

static int read_state(struct state *s)
{
	struct idm_json_text *parsed = NULL;
	struct idm_error err;
	struct idm_json whole;
	char *text = NULL;
	size_t length;
	int r;

	if (read_guarded_text("-", &text, &length) != DONE) {
		free(text);
		return FAILED;
	}
	r = idm_json_parse(text, length, IDM_STEP_READ_STATE, &parsed, &err);
	if (r == 0) {
		whole = idm_json_whole(parsed);
		r = idm_json_object(&whole, &err);
	}
	if (r == 0)
		r = read_pid(s, &whole, &err);
	if (r == 0)
		r = read_bundle(s, &whole, &err);
	idm_json_free(parsed);
	free(text);
	if (r == 0)
		return DONE;
	return report_error_in(input_name("-"), &err);
}

/* ---- the bundle ---- */

/* For a container that joins a user namespace: its process has joined it by now. */
static int joined_map(void *data, const char *userns, struct idm_map *map, struct idm_error *err)
{
	const struct state *s = data;

	(void)userns;

	return idm_map_add_pid(map, (pid_t)s->pid, err);
}

/* The IDs of the container decide which maps annotations get, and which setuid programs are harmless. */
static int judge_and_harden_mounts(struct idm_oci *oci, const struct state *s, struct hardened *hardened)
{
	struct idm_map *container;
	struct idm_error err;
	int status = read_container_userns((pid_t)s->pid, &container);

	if (status != DONE)
		return status;
	if (idm_oci_judge_ids(oci, container, &err) < 0)
		status = report_error(&err);
	else
		*hardened = harden_plan(oci->plan, container);
	idm_oci_keep_attributes(oci);
	idm_map_free(container);
	return status;
}

static int judge_sources(struct idm_oci *oci)
{
	struct idm_error err;

	if (idm_oci_open_sources(oci, &err) < 0 || judge_annotations(oci, &err) < 0)
		return report_error(&err);
	return DONE;
}

static int attach_mounts_of_bundle(struct idm_oci *oci, const struct state *s)
{
	struct exposed exposed = { 0 };
	struct hardened hardened;
	struct idm_error err;
	int status;

	if (judge_sources(oci) != DONE)
		return FAILED;
	if (count_plan_entries(oci->plan) == 1)
		return DONE;
	status = judge_and_harden_mounts(oci, s, &hardened);
	if (status != DONE)
		return status;
	look_for_exposure_of_plan(&exposed, oci->plan, IDM_UPPER_SHIFTED);
	if (idm_oci_attach(oci, (pid_t)s->pid, s->bundle, &err) < 0)
		return report_error(&err);
	report_hardened(&hardened, "mount");
	report_exposed(&exposed);
	return DONE;
}

static int read_bundle_and_attach(const struct state *s, const struct idm_oci_text *how,
				  const char *name)
{
	struct idm_error err;
	struct idm_oci oci;
	int status;

	if (idm_oci_read(&oci, how, &err) < 0)
		return report_error_in(name, &err);
	status = attach_mounts_of_bundle(&oci, s);
	idm_oci_free(&oci);
	return status;
}

static int hook(struct state *s)
{
	struct idm_oci_text how = {
		.joined_map = joined_map,
		.data = s,
		.dirfd = -1,
		.requests = s->requests,
		.n_requests = s->n_requests,
		.handler = s->handler,
	};
	char *name = NULL, *text = NULL;
	int status;

	if (asprintf(&name, "%s/config.json", s->bundle) < 0)
		return out_of_memory();
	how.dirfd = open(s->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (how.dirfd < 0)
		status = report_failure("%s: open bundle: %s", s->bundle, strerror(errno));
	else
		status = read_guarded_text(name, &text, &how.length);
	how.text = text;
	if (status == DONE)
		status = read_bundle_and_attach(s, &how, name);
	if (how.dirfd >= 0)
		close(how.dirfd);
	free(text);
	free(name);
	return status;
}

static int read_hook_options(struct arguments *a, struct state *s)
{
	struct oci_log log = { 0 };
	int letter;

	s->requests = calloc((size_t)a->argc, sizeof(*s->requests));
	if (!s->requests)
		return out_of_memory();
	while ((letter = next_command_option(a)) > 0) {
		if (letter == OPTION_MAP)
			s->requests[s->n_requests++] = (char *)a->value;
		else if (letter == OPTION_HANDLER)
			s->handler = a->value;
		else if (letter == OPTION_LOG)
			log.file = a->value;
		else
			log.json = strcmp(a->value, "json") == 0;
	}
	report_in_log(oci_log_error, &log);
	return letter == OPTIONS_END ? DONE : letter == OPTION_HELP ? -1 : USAGE;
}

static int run_oci_hook(int argc, char **argv)
{
	struct arguments a = { .command = &command_oci_hook, .argc = argc, .argv = argv };
	struct state s = { 0 };
	char **operand;
	int status = read_hook_options(&a, &s);

	if (status == DONE && operands(&a, &operand))
		status = report_usage("%s: expected no operand; the state comes on standard input",
				      *operand);
	if (status == DONE)
		status = read_state(&s);
	if (status == DONE && s.bundle)
		status = hook(&s);
	free(s.bundle);
	free(s.requests);
	return status < 0 ? DONE : status;
}

const struct command command_oci_hook = {
	.name = "oci-hook",
	.operands = "",
	.summary = "map the mounts of a container that a runtime is creating",
	.details = details,
	.options = options,
	.front = FRONT_END_CONTAINER,
	.run = run_oci_hook,
};
