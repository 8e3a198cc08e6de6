// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/apply.h"
#include "cli/common/command.h"
#include "cli/common/idmap-options.h"
#include "cli/common/report.h"
#include "oci/container-map.h"

enum { OPTION_MOUNTS = OPTION_OF_COMMAND, OPTION_UPPER_IDS, OPTION_MKDIR, OPTION_LAZY };

static const struct option_row options[] = {
	{ OPTION_MOUNTS, "mounts", "FILE",
	  "the mount list, - for standard input; without it,\nBUNDLE/mounts.json" },
	MAP_OPTIONS,
	{ OPTION_UPPER_IDS, "upper-ids", "shifted|disk",
	  "which IDs upper directories store, see \"help overlay\"" },
	{ OPTION_MKDIR, "mkdir", NULL, "create BUNDLE/rootfs if it is missing" },
	{ OPTION_LAZY, "lazy", NULL, "detach now, also when in use (umount)" },
	{ 0 },
};

static const char details[] =
	"Does the work of a shim before it calls a runtime, and after the container has gone. \"mount\"\n"
	"makes the root filesystem at BUNDLE/rootfs from a mount list of containerd, with a map, and writes\n"
	"the journal BUNDLE/idmount.journal. \"umount\" undoes exactly that, also after a restart.\n"
	"The map is for mounts to which the list assigns none. It is that of -m or --userns; without these,\n"
	"linux.uidMappings and linux.gidMappings of BUNDLE/config.json. A bundle without a map is an error.\n"
	"  idmount bundle mount /run/bundles/box\n"
	"  idmount bundle umount /run/bundles/box\n"
	"\n";

struct request {
	struct apply_request apply;
	struct map_request maps;
	unsigned int undo_flags;
	const char *mounts;
	const char *of_mount; /* an option that is for mount alone, or NULL */
	const char *bundle;
	char *list, *config, *rootfs, *journal; /* in the bundle */
};

static int parse_mounts_file(struct request *q, const char *value)
{
	if (!*value)
		return report_usage("--mounts: the file's name is empty");
	q->mounts = value;
	return DONE;
}

static int parse_bundle_option(struct request *q, int letter, const char *value)
{
	if (letter == OPTION_LAZY) {
		q->undo_flags |= IDM_PLAN_UNDO_LAZY;
		return DONE;
	}
	for (const struct option_row *row = options; row->name; row++)
		if (row->letter == letter)
			q->of_mount = row->name;
	switch (letter) {
	case OPTION_MOUNTS:
		return parse_mounts_file(q, value);
	case OPTION_UPPER_IDS:
		q->apply.apply.upper_ids = parse_upper_ids(value);
		return DONE;
	case OPTION_MKDIR:
		q->apply.apply.flags |= IDM_PLAN_APPLY_MKDIR;
		return DONE;
	default:
		return add_map_option(&q->maps, letter, value);
	}
}

/* ---- the bundle ---- */

static char *in_bundle(const struct request *q, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", q->bundle, name) < 0 ? NULL : path;
}

static int find_bundle(struct request *q, const char *bundle)
{
	int fd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		report_failure("%s: open bundle: %s", bundle, strerror(errno));
		return FAILED;
	}
	close(fd);
	q->bundle = bundle;
	q->list = in_bundle(q, "mounts.json");
	q->config = in_bundle(q, "config.json");
	q->rootfs = in_bundle(q, "rootfs");
	q->journal = in_bundle(q, "idmount.journal");
	if (q->list && q->config && q->rootfs && q->journal)
		return DONE;
	out_of_memory();
	return FAILED;
}

static bool has_journal(const struct request *q)
{
	return faccessat(AT_FDCWD, q->journal, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- mount ---- */

static int read_map_of_config(struct request *q)
{
	struct idm_error err;

	if (read_container_map(q->config, &q->maps.map, &err) < 0)
		return report_error_in(q->config, &err);
	q->maps.given = true;
	return DONE;
}

static int find_map(struct request *q)
{
	int status = DONE;

	if (!q->maps.given)
		status = read_map_of_config(q);
	return status == DONE ? complete_map(&q->maps, HOW_TO_GIVE_A_MAP) : status;
}

static int bundle_mount(struct request *q)
{
	int status;

	if (q->undo_flags)
		return report_usage("--lazy: it is an option of umount");
	if (has_journal(q))
		return report_failure(
			"%s: mounted already, according to %s; \"idmount bundle umount\" undoes it",
			q->bundle, q->journal);
	status = find_map(q);
	if (status != DONE)
		return status;
	q->apply.how.map = q->maps.map;
	q->apply.how.format = IDM_PLAN_READ_CONTAINERD;
	q->apply.apply.journal = q->journal;
	return do_apply(&q->apply, q->mounts ? q->mounts : q->list, q->rootfs);
}

/* ---- umount ---- */

static int bundle_umount(struct request *q)
{
	if (q->of_mount)
		return report_usage("--%s: it is an option of mount", q->of_mount);
	if (!has_journal(q))
		return report_failure("%s: not mounted: %s does not exist", q->bundle, q->journal);
	return do_undo(q->journal, q->undo_flags);
}

/* ---- the command line ---- */

static int handle_bundle(struct request *q, struct arguments *a)
{
	int letter, status = DONE;
	char **operand;
	bool mount;

	while ((letter = next_command_option(a)) > 0) {
		status = parse_bundle_option(q, letter, a->value);
		if (status != DONE)
			return status;
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	if (operands(a, &operand) != 2)
		return report_operands(a, "mount or umount, and BUNDLE");
	mount = strcmp(operand[0], "mount") == 0;
	if (!mount && strcmp(operand[0], "umount") != 0)
		return report_usage("expected mount or umount, got %s", operand[0]);
	if (!*operand[1])
		return report_usage("BUNDLE is empty");
	status = find_bundle(q, operand[1]);
	if (status != DONE)
		return status;
	return mount ? bundle_mount(q) : bundle_umount(q);
}

static int run_bundle(int argc, char **argv)
{
	struct arguments a = { .command = &command_bundle, .argc = argc, .argv = argv };
	struct request q = { .apply = APPLY_REQUEST_INIT };
	int status = handle_bundle(&q, &a);

	apply_request_free(&q.apply);
	map_request_free(&q.maps);
	free(q.list);
	free(q.config);
	free(q.rootfs);
	free(q.journal);
	return status;
}

const struct command command_bundle = {
	.name = "bundle",
	.operands = "mount|umount BUNDLE",
	.summary = "mount the root filesystem of an OCI bundle, or undo that",
	.details = details,
	.options = options,
	.run = run_bundle,
};
