// SPDX-License-Identifier: MIT
/*
 * --container: the engines know the process of a container. Each one that is installed is asked, since
 * two of them can have containers of one name.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/spec/json.h"
#include "subject.h"

#define ANSWER_MOST (1UL << 20)
#define CONTAINERD_SOCKET "/run/containerd/containerd.sock"

/* ---- answers ---- */

static bool read_inspected(const char *text, const char *id, uint32_t *pid)
{
	char *end;

	(void)id;
	*pid = (uint32_t)strtoul(text, &end, 10);
	return end != text && (*end == '\n' || !*end);
}

static bool read_runtime_state(const char *text, const char *id, uint32_t *pid)
{
	AUTO_JSON struct idm_json_text *parsed = NULL;
	struct idm_json whole, member;

	(void)id;
	if (idm_json_parse(text, strlen(text), IDM_STEP_EXPLAIN, &parsed, NULL) < 0)
		return false;
	whole = idm_json_whole(parsed);
	return idm_json_object(&whole, NULL) == 0 && idm_json_member(&whole, "pid", &member) &&
	       idm_json_uint32(&member, pid, NULL) == 0;
}

/* Lines of ID, process and status, below a headline. */
static bool read_task_list(const char *text, const char *id, uint32_t *pid)
{
	size_t n = strlen(id);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += strspn(line, "\n");
		if (strncmp(line, id, n) == 0 && line[n] == ' ')
			return sscanf(line + n, " %u", pid) == 1;
	}
	return false;
}

struct engine {
	const char *argv[6];
	bool adds_id; /* as the last argument */
	bool (*read)(const char *text, const char *id, uint32_t *pid);
};

static const struct engine engines[] = {
	{ { "podman", "container", "inspect", "--format", "{{.State.Pid}}" }, true, read_inspected },
	{ { "docker", "container", "inspect", "--format", "{{.State.Pid}}" }, true, read_inspected },
	{ { "runc", "state" }, true, read_runtime_state },
	{ { "crun", "state" }, true, read_runtime_state },
	{ { "ctr", "--namespace", "default", "tasks", "list" }, false, read_task_list },
	{ { "ctr", "--namespace", "k8s.io", "tasks", "list" }, false, read_task_list },
};

/* ---- questions ---- */

static int start_engine(const char *const *argv, int out, struct idm_error *err)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), pidfd;
	const struct idm_child_fd fds[] = { { null, 0 }, { out, 1 }, { null, 2 } };

	o.flags = IDM_CHILD_SEARCH_PATH;
	o.path = argv[0];
	o.argv = argv;
	o.fds = fds;
	o.n_fds = null < 0 ? 0 : ARRAY_SIZE(fds);
	pidfd = idm_child_start(&o, err);
	if (null >= 0)
		close(null);
	return pidfd;
}

static bool has_engine_succeeded(int pidfd)
{
	struct idm_exit_info info;
	bool waited = idm_child_wait(pidfd, -1, &info, NULL) == 0;

	close(pidfd);
	return waited && info.code == CLD_EXITED && info.status == 0;
}

/* *text is NULL if the engine fails: it does not know the container. */
static int ask_engine(const char *const *argv, char **text, struct idm_error *err)
{
	int ends[2], pidfd, r;
	size_t length;

	*text = NULL;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pidfd = start_engine(argv, ends[1], err);
	close(ends[1]);
	r = pidfd < 0 ? pidfd : idm_read_file(ends[0], ANSWER_MOST, text, &length);
	close(ends[0]);
	if (pidfd >= 0 && !has_engine_succeeded(pidfd)) {
		free(*text);
		*text = NULL;
	}
	return r;
}

/* ctr waits ten seconds for a daemon that does not run. */
static bool is_worth_asking(const struct engine *engine)
{
	return engine->adds_id || getenv("CONTAINERD_ADDRESS") || access(CONTAINERD_SOCKET, F_OK) == 0;
}

/* Whether the engine knows the container. An engine that cannot be executed does not. */
static bool knows_container(const struct engine *engine, const char *id, uint32_t *pid)
{
	const char *argv[ARRAY_SIZE(engine->argv) + 1] = { NULL };
	AUTO_FREE char *text = NULL;
	size_t n = 0;

	for (; n < ARRAY_SIZE(engine->argv) && engine->argv[n]; n++)
		argv[n] = engine->argv[n];
	if (engine->adds_id)
		argv[n] = id;
	return is_worth_asking(engine) && ask_engine(argv, &text, NULL) == 0 && text &&
	       engine->read(text, id, pid);
}

/* ---- all of them ---- */

static int check_container_pid(const char *id, const struct engine *engine, uint32_t pid)
{
	if (!engine)
		return report_failure(
			"--container: %s: none of podman, docker, runc, crun and ctr knows it", id);
	if (!pid || pid > INT32_MAX)
		return report_failure("--container: %s: not running, says %s", id, engine->argv[0]);
	return DONE;
}

int find_container(const char *id, pid_t *pid)
{
	const struct engine *knowing = NULL;
	uint32_t found = 0, other;

	/* As an option of an engine, it would mean something else. */
	if (!*id || *id == '-')
		return report_usage("--container: expected a name or an ID, got \"%s\"", id);
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		if (!knows_container(&engines[i], id, &other) || (found && !other))
			continue;
		if (found && found != other)
			return report_failure(
				"--container: %s: process %u, says %s; process %u, says %s", id, found,
				knowing->argv[0], other, engines[i].argv[0]);
		knowing = &engines[i];
		found = other;
	}
	*pid = (pid_t)found;
	return check_container_pid(id, knowing, found);
}
