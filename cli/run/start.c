// SPDX-License-Identifier: MIT
/* Starts the program in the container that is made, and serves it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "run.h"

static bool has_variable(const struct run_request *q, const char *variable)
{
	size_t n = strcspn(variable, "=") + 1;

	for (size_t i = 0; i < q->n_env; i++)
		if (strncmp(q->env[i], variable, n) == 0)
			return true;
	return false;
}

struct variables {
	char home[sizeof("HOME=") + sizeof(((struct run_user *)0)->home)];
	char term[256];
};

/* Returns the requested variables, and defaults for those that a program needs. */
static const char **environment(const struct run_request *q, const struct run_user *user,
				struct variables *v)
{
	const char *term = getenv("TERM"), **env = calloc(q->n_env + 4, sizeof(*env));
	const char *defaults[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				   v->home, v->term };
	size_t n = q->n_env;

	if (!env)
		return NULL;
	if (n)
		memcpy(env, q->env, n * sizeof(*env));
	snprintf(v->home, sizeof(v->home), "HOME=%s", user->home);
	snprintf(v->term, sizeof(v->term), "TERM=%s", term ? term : "");
	for (size_t i = 0; i < (q->tty == TTY_YES && term ? 3 : 2); i++)
		if (!has_variable(q, defaults[i]))
			env[n++] = defaults[i];
	return env;
}

/* The exit statuses are those of env(1) and nohup(1). */
static int report_not_started(const struct idm_error *err)
{
	report_error(err);
	if (err->step != IDM_STEP_EXECUTE)
		return RUN_FAILED;
	return err->errnum == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE;
}

/* Without setgroups(2) the process keeps groups that the user namespace does not map. */
static void set_program_ids(const struct run_request *q, const struct run_user *user,
			    struct idm_child_options *o)
{
	if (q->no_setgroups)
		return;
	o->flags |= IDM_CHILD_SET_GROUPS;
	o->uid = user->uid;
	o->gid = user->gid;
}

/* Returns whether a user of the container owns the file, and could change its mode by the descriptor. */
static bool is_owned_by_container(const struct run_request *q, int fd)
{
	struct stat st;
	uint32_t disk;

	return !q->rootless && fstat(fd, &st) == 0 &&
	       idm_map_to_disk(q->maps.map, IDM_UID, st.st_uid, &disk) == 0;
}

/*
 * The terminal, or the caller's own descriptors. The host's null device is replaced by one that is open
 * on a read-only mount.
 */
static size_t standard_fds(const struct run_request *q, const struct run_root *root,
			   struct idm_child_fd *fds)
{
	size_t n = 0;

	for (int fd = 0; fd < 3; fd++)
		if (root->terminal >= 0)
			fds[n++] = (struct idm_child_fd){ root->terminal, fd };
		else if (run_is_null_device(fd) && is_owned_by_container(q, fd))
			fds[n++] = (struct idm_child_fd){ root->null, fd };
	return n;
}

/* The options of the program, and what they point to. */
struct program {
	struct idm_child_options options;
	struct idm_child_fd fds[3];
	struct idm_capabilities caps;
	struct variables variables;
	const char **env;
};

static void set_container_options(const struct run_request *q, const struct run_root *root,
				  struct idm_child_options *o)
{
	o->namespaces = IDM_NS_MOUNT | IDM_NS_IPC | IDM_NS_UTS | IDM_NS_CGROUP |
			(q->new_pid ? IDM_NS_PID : 0) | (q->new_net ? IDM_NS_NET : 0);
	o->cgroup_fd = root->cgroup.fd;
	o->join_fds = &root->userns;
	o->n_join_fds = 1;
	o->root_fd = root->tree;
	o->staging_fd = root->staging;
	o->mounts = root->mounts;
	o->n_mounts = root->n_mounts;
	o->hostname = q->hostname;
}

static int set_program_options(const struct run_request *q, const struct run_root *root,
			       const struct run_user *user, struct program *p)
{
	struct idm_child_options *o = &p->options;

	o->fds = p->fds;
	o->n_fds = standard_fds(q, root, p->fds);
	o->terminal_fd = root->terminal;
	o->flags |= IDM_CHILD_SESSION | IDM_CHILD_SEARCH_PATH | IDM_CHILD_RESET_SIGNALS |
		    IDM_CHILD_DIE_WITH_THREAD | (q->new_pid ? IDM_CHILD_UNDER_INIT : 0);
	o->path = q->command[0];
	o->argv = (const char *const *)q->command;
	o->envp = p->env = environment(q, user, &p->variables);
	if (!p->env)
		return out_of_memory();
	o->cwd = q->workdir;
	set_program_ids(q, user, o);
	p->caps = run_caps_of(q, user);
	o->capabilities = &p->caps;
	run_confine(q, o);
	return DONE;
}

int run_start(const struct run_request *q, struct run_root *root, const struct run_user *user)
{
	struct program program = { .options = IDM_CHILD_OPTIONS_INIT };
	struct run_session session = { .init = q->new_pid };
	struct idm_error err;
	int pidfd, status = set_program_options(q, root, user, &program);

	if (status != DONE)
		return status;
	set_container_options(q, root, &program.options);
	program.options.pid = &session.pid;
	/* From here on no signal is lost, and no key. */
	status = run_session_begin(&session, root->terminal_master);
	if (status != DONE) {
		free(program.env);
		return status;
	}
	pidfd = idm_child_start(&program.options, &err);
	free(program.env);
	if (pidfd < 0) {
		run_session_end(&session);
		return report_not_started(&err);
	}
	run_root_release(root);
	status = run_session_serve(&session, pidfd);
	root->interrupted = session.died_of_it;
	close(pidfd);
	return status;
}
