// SPDX-License-Identifier: MIT
/*
 * --container: the engines know the process of a container. Each one that is installed is asked, since
 * two of them can have containers of one name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "lib/base/macros.h"
#include "lib/spec/json.h"
#include "lib/sys/syscall.h"
#include "engine.h"
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
	bool adds_id;	/* as the last argument */
	bool complains; /* what it prints tells a lack of the container from other failures */
	bool (*read)(const char *text, const char *id, uint32_t *pid);
};

/* The first one is podman, the second one docker. */
static const struct engine engines[] = {
	{ { "podman", "container", "inspect", "--format", "{{.State.Pid}}" },
	  true,
	  true,
	  read_inspected },
	{ { "docker", "container", "inspect", "--format", "{{.State.Pid}}" },
	  true,
	  true,
	  read_inspected },
	{ { "runc", "state" }, true, false, read_runtime_state },
	{ { "crun", "state" }, true, false, read_runtime_state },
	{ { "ctr", "--namespace", "default", "tasks", "list" }, false, false, read_task_list },
	{ { "ctr", "--namespace", "k8s.io", "tasks", "list" }, false, false, read_task_list },
};

/* ---- questions ---- */

/* ctr waits ten seconds for a daemon that does not run. */
static bool is_worth_asking(const struct engine *engine)
{
	return engine->adds_id || getenv("CONTAINERD_ADDRESS") || access(CONTAINERD_SOCKET, F_OK) == 0;
}

/*
 * 1 if the engine knows the container, else 0, or -ETIMEDOUT. An engine that is not installed does not.
 * `complaint` may be NULL.
 */
static int knows_container(const struct engine *engine, const char *id, uint32_t *pid, char *complaint)
{
	const char *argv[ARRAY_SIZE(engine->argv) + 1] = { NULL };
	AUTO_FREE char *text = malloc(ANSWER_MOST + 1);
	AUTO_CLOSE int messages = complaint && engine->complains ? open_messages() : -1;
	size_t n = 0;
	int r;

	for (; n < ARRAY_SIZE(engine->argv) && engine->argv[n]; n++)
		argv[n] = engine->argv[n];
	if (engine->adds_id)
		argv[n] = id;
	if (!text || !is_worth_asking(engine))
		return 0;
	r = run_engine(argv, messages, text, ANSWER_MOST + 1);
	if (r == 0 && messages >= 0)
		note_complaint(argv[0], messages, complaint);
	return r > 0 ? engine->read(text, id, pid) : r;
}

static int report_silence(const char *id, const struct engine *engine)
{
	return report_failure("--container: %s: %s does not answer, and was killed after %d seconds", id,
			      engine->argv[0], ENGINE_MS / 1000);
}

/* ---- all of them ---- */

struct found {
	const struct engine *engine; /* NULL: no engine knows it */
	uint32_t pid;
	char complaint[COMPLAINT_MOST];
};

static int ask_engines(const char *id, struct found *found)
{
	uint32_t other;

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		int r = knows_container(&engines[i], id, &other, found->complaint);

		if (r < 0)
			return report_silence(id, &engines[i]);
		if (r == 0 || (found->pid && !other))
			continue;
		if (found->pid && found->pid != other)
			return report_failure(
				"--container: %s: process %u, says %s; process %u, says %s", id,
				found->pid, found->engine->argv[0], other, engines[i].argv[0]);
		found->engine = &engines[i];
		found->pid = other;
	}
	return DONE;
}

static int report_unknown_container(const char *id, const char *complaint)
{
	return report_failure(
		"--container: %s: none of podman, docker, runc, crun and ctr knows it%s%s", id,
		geteuid() == 0
			? "; for a rootless container of podman, its user runs podman unshare idmount explain"
			: "",
		complaint);
}

static int check_container_pid(const char *id, const struct found *found)
{
	if (!found->engine)
		return report_unknown_container(id, found->complaint);
	if (!found->pid || found->pid > INT32_MAX)
		return report_failure("--container: %s: not running, says %s", id,
				      found->engine->argv[0]);
	return DONE;
}

/* The number can be another process's until the engine repeats it, with that process open. */
static int open_container_process(const char *id, const struct found *found, int *pidfd)
{
	AUTO_CLOSE int fd = idm_sys_pidfd_open((pid_t)found->pid);
	uint32_t again = 0;
	int r;

	if (fd < 0)
		return report_failure("--container: %s: process %u, says %s: %s", id, found->pid,
				      found->engine->argv[0], strerror(-fd));
	r = knows_container(found->engine, id, &again, NULL);
	if (r < 0)
		return report_silence(id, found->engine);
	if (r == 0 || again != found->pid)
		return report_failure("--container: %s: process %u, says %s, and then another", id,
				      found->pid, found->engine->argv[0]);
	*pidfd = idm_steal_fd(&fd);
	return DONE;
}

/* The processes of an engine on another machine have numbers there. */
static void ask_local_engines(void)
{
	unsetenv("CONTAINER_HOST");
	unsetenv("CONTAINER_CONNECTION");
	unsetenv("DOCKER_HOST");
	setenv("DOCKER_CONTEXT", "default", 1); /* instead of the one in config.json, too */
}

int find_container(struct subject *s)
{
	const char *id = s->container;
	struct found found = { 0 };
	int status;

	/* As an option of an engine, it would mean something else. */
	if (!*id || *id == '-')
		return report_usage("--container: expected a name or an ID, got \"%s\"", id);
	ask_local_engines();
	status = ask_engines(id, &found);
	if (status == DONE)
		status = check_container_pid(id, &found);
	if (status == DONE && found.engine)
		status = open_container_process(id, &found, &s->container_pidfd);
	s->pid = (pid_t)found.pid;
	s->is_podmans = found.engine == engines;
	s->is_dockers = found.engine == engines + 1;
	return status;
}
