// SPDX-License-Identifier: MIT
/*
 * A front for an OCI runtime. It prepares the bundle if a mount is to be mapped. Then it executes the
 * runtime with the same arguments, which does everything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/command.h"
#include "cli/common/report.h"
#include "oci/bundle.h"
#include "oci/features.h"
#include "oci/runtime-args.h"
#include "oci/runtime.h"

enum {
	OPTION_ROOT = LONG_ONLY,
	OPTION_LOG,
	OPTION_LOG_FORMAT,
	OPTION_DEBUG,
	OPTION_SYSTEMD_CGROUP,
	OPTION_CGROUP_MANAGER,
	OPTION_CRIU,
	OPTION_ROOTLESS,
};

static const struct option_row options[] = {
	{ OPTION_ROOT, "root", "DIR", "of runc and crun: the directory for the state of containers" },
	{ OPTION_LOG, "log", "FILE", "of both: the file for errors, also those of idmount" },
	{ OPTION_LOG_FORMAT, "log-format", "text|json", "of both: the format of that file" },
	{ OPTION_DEBUG, "debug", NULL, "of both" },
	{ OPTION_SYSTEMD_CGROUP, "systemd-cgroup", NULL, "of both" },
	{ OPTION_ROOTLESS, "rootless", "true|false|auto", "of both" },
	{ OPTION_CGROUP_MANAGER, "cgroup-manager", "MANAGER", "of crun" },
	{ OPTION_CRIU, "criu", "PATH", "of runc" },
	{ 'v', "version", NULL, "of both: show the runtime's version" },
	{ 0 },
};

static const char details[] =
	"Runs before a runtime that cannot map mounts. Engines use idmount-oci-runtime, a link to\n"
	"idmount, as their runtime. create and run prepare the bundle if one of its mounts has\n"
	"uidMappings and gidMappings, the option idmap or ridmap, or an annotation\n"
	"io.idmount.map/DESTINATION or io.idmount.maps: they add the hook \"idmount oci-hook\" to\n"
	"config.json, and move requests for a map to its arguments. restore refuses such a bundle. By\n"
	"the name idmount-oci-runtime.NAME it tells the hook that the runtime handler is NAME.\n"
	"features also prints that mounts can be mapped.\n"
	"idmount then executes the runtime with the same arguments, as for all other commands. It is\n"
	"the one that IDMOUNT_RUNTIME names, else runc, else crun, as found in PATH.\n"
	"\n";

struct front {
	struct oci_log log;
	const char *handler; /* NULL: not known */
	char runtime[PATH_MAX];
	char self[PATH_MAX];
};

/* ---- the real runtime ---- */

/*
 * Returns whether the file can be executed and is not this program by another name. The program would
 * otherwise execute itself for ever.
 */
static bool is_runtime(const struct front *f, const char *path)
{
	struct stat it, own;

	return stat(path, &it) == 0 && S_ISREG(it.st_mode) && access(path, X_OK) == 0 &&
	       !(stat(f->self, &own) == 0 && own.st_dev == it.st_dev && own.st_ino == it.st_ino);
}

static bool search(struct front *f, const char *name)
{
	const char *path = getenv("PATH");

	if (!path)
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	for (;;) {
		int n = (int)strcspn(path, ":");

		/* An empty entry would be the working directory, such as the bundle. */
		if (*path == '/' &&
		    snprintf(f->runtime, PATH_MAX, "%.*s/%s", n, path, name) < PATH_MAX &&
		    is_runtime(f, f->runtime))
			return true;
		path += n;
		if (!*path++)
			return false;
	}
}

static int find_runtime(struct front *f)
{
	const char *name = getenv("IDMOUNT_RUNTIME");

	if (!name || !*name)
		return search(f, "runc") || search(f, "crun")
			       ? DONE
			       : report_failure(
					 "neither runc nor crun is in PATH; IDMOUNT_RUNTIME can name another");
	if (!strchr(name, '/'))
		return search(f, name) ? DONE
				       : report_failure("IDMOUNT_RUNTIME: %s: not found in PATH", name);
	if (strlen(name) >= PATH_MAX || !is_runtime(f, name))
		return report_failure(
			"IDMOUNT_RUNTIME: expected an executable program other than this one, got %s",
			name);
	strcpy(f->runtime, name);
	return DONE;
}

static int find_self(struct front *f)
{
	ssize_t n = readlink("/proc/self/exe", f->self, sizeof(f->self) - 1);

	if (n < 0)
		return report_failure("/proc/self/exe: find this program: %s", strerror(errno));
	f->self[n] = '\0';
	return DONE;
}

/* ---- create and run ---- */

/* The hook has another working directory. Without memory for the path, the hook has no log. */
static struct oci_log hook_log(const struct oci_log *log, char *path)
{
	struct oci_log absolute = { .json = log->json };
	char here[PATH_MAX];

	if (!log->file || !*log->file)
		return absolute;
	if (*log->file == '/')
		absolute.file = log->file;
	else if (getcwd(here, sizeof(here)) &&
		 snprintf(path, PATH_MAX, "%s/%s", here, log->file) < PATH_MAX)
		absolute.file = path;
	return absolute;
}

/*
 * runc ignores the annotation for it, and any script can execute crun. crun fails if it cannot open the
 * file: a socket cannot be opened, nor another user's terminal.
 */
static bool can_open_stderr(void)
{
	int fd = open("/dev/stderr", O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int prepare_container(const struct front *f, const char *command, char **argv)
{
	char log_path[PATH_MAX];
	const struct oci_log log = hook_log(&f->log, log_path);
	bool replaced = false;
	struct bundle bundle = {
		.hook = f->self,
		.handler = f->handler,
		.log = &log,
		.hook_stderr = can_open_stderr(),
		.output_replaced = &replaced,
		.restored = strcmp(command, "restore") == 0,
	};
	struct runtime_args args;
	char file[PATH_MAX];
	struct idm_error err;

	if (!parse_runtime_args(argv, &args))
		return report_failure("%s: %s: %s", command, args.wrong, args.reason);
	if (args.help)
		return DONE;
	bundle.directory = args.bundle;
	if (prepare_bundle(&bundle, file, &err) < 0)
		return report_error_in(file, &err);
	if (replaced)
		report_note("replaced a file that an annotation names for the output of hooks; "
			    "the log of the runtime has errors");
	return DONE;
}

static bool has_bundle(const char *command)
{
	return strcmp(command, "create") == 0 || strcmp(command, "run") == 0 ||
	       strcmp(command, "restore") == 0;
}

/* ---- any command ---- */

static int call_runtime(const struct front *f, char **argv, char **command)
{
	struct idm_error err;

	if (*command && strcmp(*command, "features") == 0 && !command[1])
		return print_features(argv, &err) < 0 ? report_error_in(f->runtime, &err) : DONE;
	execv(f->runtime, argv);
	return report_failure("%s: execute: %s", f->runtime, strerror(errno));
}

static int run_front(struct front *f, char **argv, char **command)
{
	int status = find_self(f);
	char *own = argv[0];

	if (status == DONE)
		status = find_runtime(f);
	if (status == DONE && *command && has_bundle(*command))
		status = prepare_container(f, *command, command + 1);
	if (status != DONE)
		return status;
	argv[0] = f->runtime;
	status = call_runtime(f, argv, command);
	argv[0] = own; /* f->runtime is a variable of the caller, and argv outlives it */
	return status;
}

/* containerd does not report the handler to the runtime, but each handler can name its own link. */
static const char *handler_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = strlen(OCI_RUNTIME_NAME);

	return strncmp(name, OCI_RUNTIME_NAME, n) == 0 && name[n] == '.' && name[n + 1] ? name + n + 1
											: NULL;
}

static int run_oci_runtime(int argc, char **argv)
{
	struct arguments a = { .command = &command_oci_runtime, .argc = argc, .argv = argv };
	struct front f = { .handler = handler_of(argv[0]) };
	char **command;
	int letter;

	while ((letter = next_command_option(&a)) > 0) {
		if (letter == OPTION_LOG)
			f.log.file = a.value;
		if (letter == OPTION_LOG_FORMAT)
			f.log.json = strcmp(a.value, "json") == 0;
	}
	report_in_log(oci_log_error, &f.log);
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	operands(&a, &command);
	return run_front(&f, argv, command);
}

const struct command command_oci_runtime = {
	.name = "oci-runtime",
	.operands = "COMMAND [ARGUMENT]...",
	.summary = "a front for runc or crun that maps mounts",
	.details = details,
	.options = options,
	.options_first = true,
	.foreign_values = true,
	.front = FRONT_END_CONTAINER,
	.run = run_oci_runtime,
};
