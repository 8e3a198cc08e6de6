// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command.h"
#include "maps.h"
#include "progress.h"
#include "report.h"
#include "slurp.h"

enum { OPTION_FORMAT = OPTION_OF_COMMAND, OPTION_UPPER_IDS, OPTION_RECORD, OPTION_MKDIR };

static const struct option_row options[] = {
	{ OPTION_FORMAT, "format", "containerd|oci",
	  "what FILE is: a mount list of containerd, or config.json of\n"
	  "an OCI bundle; without it, that is told by its form" },
	MAP_OPTIONS,
	{ OPTION_UPPER_IDS, "upper-ids", "shifted|disk",
	  "which ids upper directories store, see \"help overlay\"" },
	{ OPTION_RECORD, "record", "FILE", "write down what is made, for \"idmount undo\"" },
	{ OPTION_MKDIR, "mkdir", NULL, "create TARGET, and targets below it, if they are missing" },
	{ 0 },
};

static const char details[] =
	"FILE is JSON, - is standard input; relative paths in it begin at its directory. The map\n"
	"is for mounts to which FILE gives none: of a mount list, those that show files (bind,\n"
	"overlay, ext4, xfs, erofs); of a bundle, the root filesystem.\n"
	"All is put together where nobody sees it, and appears at TARGET at once.\n"
	"  idmount apply -m 0:100000:65536 --record /run/box.mounts mounts.json /run/box/root\n"
	"  idmount undo --record /run/box.mounts\n"
	"\n";

struct request {
	struct idm_plan *plan;
	struct idm_plan_text how;
	struct idm_apply apply;
	struct map_request maps;
};

static int take_format(struct request *q, const char *value)
{
	if (strcmp(value, "containerd") == 0)
		q->how.format = IDM_PLAN_CONTAINERD;
	else if (strcmp(value, "oci") == 0)
		q->how.format = IDM_PLAN_OCI;
	else
		return report_usage("--format %s: it is containerd or oci", value);
	return DONE;
}

static int take(struct request *q, int letter, const char *value)
{
	switch (letter) {
	case OPTION_FORMAT:
		return take_format(q, value);
	case OPTION_UPPER_IDS:
		return parse_upper_ids(&q->apply.upper_ids, value);
	case OPTION_RECORD:
		if (!*value)
			return report_usage("--record: the file's name is empty");
		q->apply.record = value;
		return DONE;
	case OPTION_MKDIR:
		q->apply.flags |= IDM_APPLY_MKDIR;
		return DONE;
	default:
		return take_map_option(&q->maps, letter, value);
	}
}

/* ---- the text ---- */

/* What relative paths in the file begin at. */
static int open_directory_of(const char *file)
{
	char *copy = strdup(file);
	int fd = copy ? open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	free(copy);
	return fd;
}

static int read_plan(struct request *q, const char *file)
{
	bool input = strcmp(file, "-") == 0;
	const char *name = input ? "standard input" : file;
	int fd = input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC), status = DONE;
	struct idm_error err;
	char *text = NULL;
	size_t length = 0;

	if (fd < 0 || !slurp(fd, &text, &length))
		status = report_failure("%s: read: %s", name, strerror(errno));
	if (fd >= 0 && !input)
		close(fd);
	if (status == DONE && !input) {
		q->how.dirfd = open_directory_of(file);
		if (q->how.dirfd < 0)
			status = report_failure("%s: open its directory: %s", file, strerror(errno));
	}
	if (status == DONE && idm_plan_read(q->plan, text, length, &q->how, &err) < 0)
		status = report_error_in(name, &err);
	free(text);
	return status;
}

/* ---- applying ---- */

/* Each mount takes descriptors while the plan is put together. The soft limit is for select(2). */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int apply(struct request *q, const char *file, const char *target)
{
	struct idm_error err;
	size_t hardened;
	int status = DONE;

	if (q->maps.given || q->maps.keep_rest)
		status = complete_map(&q->maps, HOW_TO_GIVE_A_MAP);
	q->how.map = q->maps.map;
	if (status == DONE)
		status = read_plan(q, file);
	if (status != DONE)
		return status;
	raise_descriptor_limit();
	hardened = idm_plan_harden(q->plan);
	q->apply.progress = show_progress;
	q->apply.progress_data = (void *)"mount";
	if (idm_plan_apply(q->plan, AT_FDCWD, target, &q->apply, &err) < 0)
		return report_error(&err);
	if (hardened)
		report_note(
			"added nosuid,nodev to %zu mount%s, since files of others appear as root's; the "
			"words suid and dev of a mount prevent that",
			hardened, hardened == 1 ? "" : "s");
	return DONE;
}

static int work(struct request *q, struct arguments *a)
{
	int letter, status;
	char **operand;

	while ((letter = next_option(a)) > 0) {
		status = take(q, letter, a->value);
		if (status != DONE)
			return status;
	}
	if (letter < 0)
		return letter == -2 ? DONE : USAGE;
	if (operands(a, &operand) != 2)
		return report_usage("FILE and TARGET are wanted; see \"idmount help apply\"");
	if (!*operand[0] || !*operand[1])
		return report_usage("%s is empty", *operand[0] ? "TARGET" : "FILE");
	return apply(q, operand[0], operand[1]);
}

static int run(int argc, char **argv)
{
	struct arguments a = { .command = &command_apply, .argc = argc, .argv = argv };
	struct request q = { .how = IDM_PLAN_TEXT_INIT, .apply = IDM_APPLY_INIT };
	int status;

	if (idm_plan_new(&q.plan) < 0)
		return out_of_memory();
	status = work(&q, &a);
	if (q.how.dirfd >= 0)
		close(q.how.dirfd);
	map_request_free(&q.maps);
	idm_plan_free(q.plan);
	return status;
}

const struct command command_apply = {
	.name = "apply",
	.operands = "FILE TARGET",
	.summary = "mount the root filesystem that a mount list describes",
	.details = details,
	.options = options,
	.run = run,
};
