// SPDX-License-Identifier: MIT
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/command.h"
#include "cli/common/report.h"
#include "cli/run/run.h"
#include "lib/base/array.h"
#include "oci/new-namespaces.h"

enum {
	OPTION_ROOTFS = OPTION_OF_COMMAND,
	OPTION_EPHEMERAL,
	OPTION_BIND,
	OPTION_USER,
	OPTION_WORKDIR,
	OPTION_ENV,
	OPTION_HOSTNAME,
	OPTION_NO_PID,
	OPTION_UNSHARE_NET,
	OPTION_READ_ONLY,
	OPTION_TTY,
	OPTION_NO_TTY,
	OPTION_SIZE,
	OPTION_DEV,
	OPTION_CAP_ADD,
	OPTION_CAP_DROP,
	OPTION_NO_NEW_PRIVS,
	OPTION_KEYRINGS,
	OPTION_DISABLE_USERNS,
	OPTION_SECCOMP,
	OPTION_UNMASK
};

static const struct option_row options[] = {
	MAP_OPTIONS,
	{ OPTION_ROOTFS, "rootfs", "DIR", "the root filesystem; mounts below it are left out" },
	{ 'L', "lower", "DIR[:DIR]...", "the root filesystem from layers, see \"help overlay\"" },
	{ 'U', "upper", "DIR", "the directory for changes, with the IDs of the layers" },
	{ 'W', "work", "DIR", "an empty directory on the same mount as the upper one" },
	{ OPTION_EPHEMERAL, "ephemeral", NULL, "keep changes in memory, and drop them afterwards" },
	{ OPTION_SIZE, "size", "BYTES[K|M|G|%]", "limit that memory (by default 50%)" },
	{ OPTION_BIND, "bind", "SRC:DST[:OPTIONS]",
	  "show SRC at DST inside; OPTIONS are those of \"idmount mount\"\n"
	  "but shared, such as suid and dev; map=MAP (seen IDs are those\n"
	  "inside, names those of the host), idmap, keep-rest, recursive;\n"
	  "and for a SRC that is mapped already remap or on-top" },
	{ OPTION_USER, "user", "USER[:GROUP]",
	  "run COMMAND as this user: numbers, or names in the root\n"
	  "filesystem (names in map= are those of the host)" },
	{ OPTION_WORKDIR, "workdir", "DIR", "start COMMAND in this directory" },
	{ OPTION_ENV, "env", "NAME=VALUE", "add to its environment" },
	{ OPTION_HOSTNAME, "hostname", "NAME", "set the container's own host name" },
	{ OPTION_NO_PID, "no-pid", NULL, "create no PID namespace: COMMAND sees the host's processes" },
	{ OPTION_UNSHARE_NET, "unshare-net", NULL, "create a network namespace, with only lo in it" },
	{ OPTION_READ_ONLY, "read-only", NULL, "make the root filesystem read-only" },
	{ OPTION_DEV, "dev", NULL, "allow device nodes in the root filesystem to be opened" },
	{ OPTION_CAP_ADD, "cap-add", "CAP[,CAP]...",
	  "add capabilities, such as NET_ADMIN or CAP_NET_ADMIN, or ALL" },
	{ OPTION_CAP_DROP, "cap-drop", "CAP[,CAP]...",
	  "drop capabilities; ALL leaves those of --cap-add" },
	{ OPTION_NO_NEW_PRIVS, "no-new-privs", NULL,
	  "keep programs from gaining privileges by a setuid bit or file" },
	{ OPTION_DISABLE_USERNS, "disable-userns", NULL, "forbid new user namespaces inside" },
	{ OPTION_KEYRINGS, "keyrings", NULL, "allow keyctl(2), add_key(2) and request_key(2)" },
	{ OPTION_SECCOMP, "seccomp", "FD", "install the system call filter of this descriptor" },
	{ OPTION_UNMASK, "unmask", NULL, "hide nothing of /proc and /sys, and leave /proc writable" },
	{ OPTION_TTY, "tty", NULL, "create a terminal inside (the default on a terminal)" },
	{ OPTION_NO_TTY, "no-tty", NULL, "use the caller's standard input, output and error" },
	TRIAL_OPTIONS,
	{ 0 },
};

static const char details[] =
	"Runs COMMAND as root of its own user namespace with the map (by default -m auto). The mount,\n"
	"PID, IPC, UTS and cgroup namespaces are its own, too. The files of the root filesystem keep\n"
	"their owners on disk. The exit status is that of COMMAND, or 128 and the signal that killed it;\n"
	"125 if idmount failed, 126 if COMMAND cannot be executed, 127 if it does not exist.\n"
	"  idmount run --rootfs /srv/roots/debian -m 0:100000:65536 -- /bin/bash\n"
	"  idmount run -L app:base --ephemeral --bind /srv/data:/data:map=1000:0 -- make check\n"
	"\n";

/* ---- reading the command line ---- */

static int append_bind(struct run_request *q, const char *value)
{
	struct run_bind *new = idm_array_append(&q->binds, &q->n_binds, sizeof(*new));

	return new ? run_parse_bind(new, value) : out_of_memory();
}

static int append_env(struct run_request *q, const char *value)
{
	const char **new;

	if (*value == '=' || !strchr(value, '='))
		return report_usage("--env %s: expected NAME=VALUE", value);
	new = idm_array_append(&q->env, &q->n_env, sizeof(*new));
	if (!new)
		return out_of_memory();
	*new = value;
	return DONE;
}

static int parse_confinement_option(struct run_request *q, int letter, char *value)
{
	switch (letter) {
	case OPTION_SIZE:
		return run_parse_size(q, value);
	case OPTION_CAP_ADD:
		return run_parse_caps(&q->cap_add, "--cap-add", value);
	case OPTION_CAP_DROP:
		return run_parse_caps(&q->cap_drop, "--cap-drop", value);
	case OPTION_SECCOMP:
		return run_parse_seccomp(q, value);
	case OPTION_DEV:
		q->dev = true;
		break;
	case OPTION_NO_NEW_PRIVS:
		q->no_new_privs = true;
		break;
	case OPTION_KEYRINGS:
		q->keyrings = true;
		break;
	case OPTION_DISABLE_USERNS:
		q->disable_userns = true;
		break;
	case OPTION_UNMASK:
		q->unmask = true;
		break;
	}
	return DONE;
}

static int parse_value_option(struct run_request *q, int letter, char *value)
{
	if (letter >= OPTION_SIZE)
		return parse_confinement_option(q, letter, value);
	switch (letter) {
	case 'L':
		return add_layers(&q->layers, value);
	case OPTION_BIND:
		return append_bind(q, value);
	case OPTION_ENV:
		return append_env(q, value);
	case 'm':
		if (strcmp(value, "auto") == 0) {
			q->automatic = true;
			return DONE;
		}
		return add_map_option(&q->maps, letter, value);
	default:
		return add_map_option(&q->maps, letter, value);
	}
}

static int parse_run_option(struct run_request *q, int letter, char *value)
{
	switch (letter) {
	case OPTION_ROOTFS:
		q->rootfs = value;
		break;
	case 'U':
		q->upper = value;
		break;
	case 'W':
		q->work = value;
		break;
	case OPTION_EPHEMERAL:
		q->ephemeral = true;
		break;
	case OPTION_USER:
		q->user = value;
		break;
	case OPTION_WORKDIR:
		q->workdir = value;
		break;
	case OPTION_HOSTNAME:
		q->hostname = value;
		break;
	case OPTION_NO_PID:
		q->new_pid = false;
		break;
	case OPTION_UNSHARE_NET:
		q->new_net = true;
		break;
	case OPTION_READ_ONLY:
		q->read_only = true;
		break;
	case OPTION_TTY:
		q->tty = TTY_YES;
		break;
	case OPTION_NO_TTY:
		q->tty = TTY_NO;
		break;
	case OPTION_DRY_RUN:
		q->dry_run = true;
		break;
	case 'v':
		report_steps();
		break;
	default:
		return parse_value_option(q, letter, value);
	}
	return DONE;
}

static int check_run_request(struct run_request *q)
{
	if (!!q->rootfs == !!q->layers.n_lower)
		return report_usage("expected one of --rootfs and -L, got %s",
				    q->rootfs ? "both" : "neither");
	if (q->rootfs && !*q->rootfs)
		return report_usage("--rootfs is empty");
	if (!q->upper != !q->work)
		return report_usage("-U and -W require each other");
	if (q->upper && (q->ephemeral || q->rootfs))
		return report_usage("-U requires -L, and excludes --ephemeral");
	if (q->size && !q->ephemeral)
		return report_usage("--size requires --ephemeral");
	if (q->workdir && *q->workdir != '/')
		return report_usage("--workdir %s: expected an absolute path", q->workdir);
	if (q->automatic && q->maps.given)
		return report_usage("-m auto excludes other maps");
	if (!q->maps.given && !q->maps.keep_rest)
		q->automatic = true;
	if (q->tty == TTY_AUTO)
		q->tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? TTY_YES : TTY_NO;
	return run_complete_caps(q);
}

/* ---- running ---- */

static int check_root_id(struct run_request *q)
{
	if (idm_map_to_seen(q->maps.map, IDM_UID, 0, &q->uid0) < 0 ||
	    idm_map_to_seen(q->maps.map, IDM_GID, 0, &q->gid0) < 0)
		return report_usage(
			"the map has no IDs for user 0 and group 0, as which COMMAND starts");
	return DONE;
}

/* Checked here, since nothing becomes root of a user namespace without an ID for it. */
static int complete_maps(struct run_request *q)
{
	int status;

	if (q->automatic && geteuid() != 0)
		return DONE;
	status = q->automatic ? add_map_option(&q->maps, 'm', "auto")
			      : complete_map(&q->maps, HOW_TO_GIVE_A_MAP);
	return status == DONE ? check_root_id(q) : status;
}

/* The IDs of an ordinary user's map are then those of the new user namespace. */
static int enter_userns_of_map(struct run_request *q)
{
	int status;

	if (geteuid() == 0)
		return run_find_exposure(q);
	status = run_enter_userns(q);
	return status == DONE ? check_root_id(q) : status;
}

/* An ordinary user may copy no mount of the host's namespace, but may copy those of a copy. */
static int leave_mounts(const struct run_request *q)
{
	struct idm_error err;

	if (!q->rootless)
		return DONE;
	return enter_new_mount_namespace(&err) < 0 ? report_error(&err) : DONE;
}

static int run_request(struct run_request *q)
{
	struct run_root root = { .tree = -1,
				 .userns = -1,
				 .staging = -1,
				 .cgroup = RUN_CGROUP_NONE,
				 .null = -1,
				 .terminal = -1,
				 .terminal_master = -1 };
	struct run_user user = { 0 };
	int status = run_check_standard_fds();

	if (status == DONE)
		status = run_read_seccomp(q);
	if (status == DONE)
		status = complete_maps(q);
	if (status == DONE)
		status = enter_userns_of_map(q);
	if (status == DONE) {
		run_note_host_root(q);
		status = leave_mounts(q);
	}
	if (status == DONE) {
		root.staging = q->rootless ? -1 : run_open_staging();
		report_map_step(q->maps.map);
		if (q->dry_run)
			return run_try(q, &root);
		status = run_make_root(q, &root);
	}
	if (status == DONE)
		status = run_find_user(q, root.tree, &user);
	if (status == DONE)
		status = run_make_cgroup(q, &root.cgroup);
	if (status == DONE) {
		run_leave_host(q);
		status = run_finish_userns(q, &root.userns);
	}
	if (status == DONE)
		report_step("made the root filesystem and the user namespace");
	status = status == DONE ? run_start(q, &root, &user) : RUN_FAILED;
	run_root_free(&root);
	if (root.interrupted)
		run_signals_die_of(SIGINT);
	return status;
}

static int handle_run(struct run_request *q, struct arguments *a)
{
	int letter, status;
	size_t n;

	while ((letter = next_command_option(a)) > 0) {
		status = parse_run_option(q, letter, (char *)a->value);
		if (status != DONE)
			return RUN_FAILED;
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : RUN_FAILED;
	n = operands(a, &q->command);
	status = n ? check_run_request(q)
		   : report_usage("a COMMAND is missing; see \"idmount help run\"");
	return status == DONE ? run_request(q) : RUN_FAILED;
}

static int run_run(int argc, char **argv)
{
	struct arguments a = { .command = &command_run, .argc = argc, .argv = argv };
	struct run_request q = { .new_pid = true };
	int status;

	signal(SIGCHLD, SIG_DFL); /* if it is ignored, the exit statuses of children are lost */
	/* The umask of the program, and of files that are made for it. */
	umask(022);
	status = handle_run(&q, &a);
	for (size_t i = 0; i < q.n_binds; i++)
		run_free_bind(&q.binds[i]);
	map_request_free(&q.maps);
	idm_map_free(q.disk_map);
	free(q.binds);
	layer_list_free(&q.layers);
	free(q.env);
	return status;
}

const struct command command_run = {
	.name = "run",
	.operands = "-- COMMAND [ARGUMENT]...",
	.summary = "run a program as root of its own user namespace",
	.details = details,
	.options = options,
	.options_first = true,
	.front = FRONT_END_RUN,
	.run = run_run,
};
