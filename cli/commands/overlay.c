// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/command.h"
#include "cli/common/dry-run.h"
#include "cli/common/exposure.h"
#include "cli/common/harden.h"
#include "cli/common/idmap-options.h"
#include "cli/common/layer-options.h"
#include "cli/common/progress.h"
#include "cli/common/report.h"
#include "lib/base/array.h"
#include "lib/base/lowerdir.h"
#include "lib/sys/capability.h"

enum { OPTION_UPPER_IDS = OPTION_OF_COMMAND, OPTION_MKDIR };

static const struct option_row options[] = {
	MAP_OPTIONS,
	{ 'L', "lower", "DIR[:DIR]...",
	  "lower layers, the top one first; \\: stands for a colon, and\n"
	  "a layer after :: is a data-only layer" },
	{ 'U', "upper", "DIR", "the directory for changes; without it the overlay is read-only" },
	{ 'W', "work", "DIR", "an empty directory on the same mount as the upper one" },
	{ OPTION_UPPER_IDS, "upper-ids", "shifted|disk",
	  "which IDs the upper directory stores: the seen ones (the\n"
	  "default), or those of the layers, so that it can become one" },
	{ 'o', "options", "OPTIONS",
	  "those of \"idmount mount\", and options of overlayfs such as\n"
	  "volatile, metacopy=on, userxattr; separated by commas" },
	{ OPTION_MKDIR, "mkdir", NULL, "create TARGET if it is missing" },
	TRIAL_OPTIONS,
	{ 0 },
};

static const char details[] =
	"The layers stay unchanged. Only the overlay itself is ever mounted visibly.\n"
	"  idmount overlay -L l2 -L l1 -m 0:100000:65536 root\n"
	"  idmount overlay -L l2:l1 -U up -W work -m 0:100000:65536 --upper-ids disk root\n"
	"\n";

/* The request of the command line, and its memory. */
struct request {
	struct idm_overlay_options overlay;
	struct map_request maps;
	struct mount_options mount_options;
	struct layer_list layers;
	struct idm_path upper, work;
	struct idm_mount_option *options;
	size_t n_options;
	bool mkdir, dry_run;
};

static void free_request(struct request *q)
{
	map_request_free(&q->maps);
	layer_list_free(&q->layers);
	free(q->options);
}

/* ---- options of the overlay ---- */

static int add_filesystem_option(struct request *q, char *option)
{
	char *value = strchr(option, '=');
	struct idm_mount_option *new;

	if (value)
		*value++ = '\0';
	if (strncmp(option, "lowerdir", 8) == 0 || strncmp(option, "datadir", 7) == 0 ||
	    strcmp(option, "upperdir") == 0 || strcmp(option, "workdir") == 0)
		return report_usage("-o %s: -L, -U and -W name the directories", option);
	new = idm_array_append(&q->options, &q->n_options, sizeof(*new));
	if (!new)
		return out_of_memory();
	*new = (struct idm_mount_option){ option, value };
	return DONE;
}

static int parse_mount_option_list(struct request *q, char *list)
{
	int status = DONE;

	while (list && status == DONE) {
		char *option = idm_next_piece(&list, ',');

		if (!*option)
			status = report_usage(
				"-o: an option is missing between two commas, or at an end");
		else if (has_wrong_value(option, strlen(option)))
			status = report_wrong_value("-o ", option, strlen(option));
		else if (!add_mount_option(&q->mount_options, option, strlen(option)))
			status = add_filesystem_option(q, option);
	}
	return status;
}

static bool has_filesystem_option(const struct request *q, const char *name, const char *value)
{
	for (size_t i = 0; i < q->n_options; i++) {
		const struct idm_mount_option *option = &q->options[i];

		if (strcmp(option->name, name) == 0 &&
		    (!value || (option->value && strcmp(option->value, value) == 0)))
			return true;
	}
	return false;
}

/* The kernel excludes these and userxattr, and its reason for these alone is the better one. */
static bool needs_trusted_attributes(const struct request *q)
{
	return has_filesystem_option(q, "metacopy", "on") ||
	       has_filesystem_option(q, "redirect_dir", "on") ||
	       has_filesystem_option(q, "redirect_dir", "follow");
}

/*
 * overlayfs keeps its marks in attributes trusted.*, which root of another user namespace cannot write.
 * So a directory of a lower layer could not be removed: EIO. The kernel lets such a root mount overlays
 * since Linux 5.11, which brought the other attributes, too.
 */
static int complete_filesystem_options(struct request *q)
{
	static char name[] = "userxattr";

	if (has_filesystem_option(q, name, NULL) || needs_trusted_attributes(q) || idm_in_initial_userns())
		return DONE;
	return add_filesystem_option(q, name);
}

/* ---- the options ---- */

/* `value` is an argument of the command line, which may be modified. */
static int parse_option_of_overlay(struct request *q, int letter, char *value)
{
	switch (letter) {
	case 'L':
		return add_layers(&q->layers, value);
	case 'U':
		q->upper = (struct idm_path){ AT_FDCWD, value };
		q->overlay.upper = &q->upper;
		return DONE;
	case 'W':
		q->work = (struct idm_path){ AT_FDCWD, value };
		q->overlay.work = &q->work;
		return DONE;
	case OPTION_MKDIR:
		q->mkdir = true;
		return DONE;
	case OPTION_DRY_RUN:
		q->dry_run = true;
		return DONE;
	case 'v':
		report_steps();
		return DONE;
	case OPTION_UPPER_IDS:
		q->overlay.upper_ids = parse_upper_ids(value);
		return DONE;
	case 'o':
		return parse_mount_option_list(q, value);
	default:
		return add_map_option(&q->maps, letter, value);
	}
}

static int check_overlay_request(struct request *q)
{
	if (!q->layers.n_lower)
		return report_usage("a lower layer is missing: -L");
	if (!q->overlay.upper != !q->overlay.work)
		return report_usage("-U and -W require each other");
	if (q->overlay.upper && (!*q->upper.path || !*q->work.path))
		return report_usage("%s: the directory's name is empty", *q->upper.path ? "-W" : "-U");
	if (q->overlay.upper_ids == IDM_UPPER_DISK && !(q->overlay.upper && q->maps.given))
		return report_usage("--upper-ids disk: requires a map and an upper directory");
	if (q->maps.given || q->maps.keep_rest)
		return complete_map(&q->maps, HOW_TO_GIVE_A_MAP);
	return DONE;
}

/* ---- mounting ---- */

/* The overlay's root directory has the owner of the upper one, which the container may not know. */
static void note_owner(const struct request *q)
{
	const struct idm_overlay_options *o = &q->overlay;
	struct stat st;
	uint32_t id;

	if (!o->map || !o->upper || o->upper_ids != IDM_UPPER_SHIFTED || stat(o->upper->path, &st) < 0 ||
	    idm_map_to_disk(o->map, IDM_UID, st.st_uid, &id) == 0 ||
	    idm_map_to_seen(o->map, IDM_UID, 0, &id) < 0)
		return;
	report_note(
		"%s belongs to %u, which the map does not show; chown it to %u, or use --upper-ids disk",
		o->upper->path, st.st_uid, id);
}

/* A target that would be created is not tried. */
static int attach_overlay(const struct request *q, int tree, const char *target)
{
	struct idm_attach_options attach = IDM_ATTACH_OPTIONS_INIT;
	struct idm_error err;

	if (q->dry_run && q->mkdir && access(target, F_OK) < 0 && errno == ENOENT)
		return DONE;
	attach.flags = q->mkdir ? IDM_ATTACH_MKDIR : 0;
	attach.propagation = q->mount_options.propagation;
	if (idm_tree_attach(tree, AT_FDCWD, target, &attach, &err) < 0)
		return report_error(&err);
	report_step("attached it at %s", target);
	return DONE;
}

static int mount_overlay(struct request *q, const char *target)
{
	struct exposed exposed = { 0 };
	struct hardening hardening;
	struct idm_overlay_options *o = &q->overlay;
	struct idm_error err;
	int tree, status;

	o->lower = q->layers.lower;
	o->n_lower = q->layers.n_lower;
	o->data = q->layers.data;
	o->n_data = q->layers.n_data;
	o->options = q->options;
	o->n_options = q->n_options;
	o->map = q->maps.map;
	o->flags |= IDM_OVERLAY_SERVICE;
	o->progress = show_progress;
	o->progress_data = (void *)"layer";
	hardening = harden_options(&q->mount_options, o->map, IDM_HARDEN_ROOT, NULL);
	o->attr = q->mount_options.set;
	if (o->upper && o->upper_ids == IDM_UPPER_DISK)
		look_for_exposure(&exposed, o->upper, o->map, &q->mount_options);

	tree = idm_overlay_open(o, &err);
	if (tree < 0)
		return report_failed_mapping(&err, q->maps.keep_rest);
	report_step("made the overlay of %zu lower layers", o->n_lower);
	status = attach_overlay(q, tree, target);
	close(tree);
	if (status != DONE)
		return status;
	report_hardening(&hardening, "suid,dev");
	report_exposed(&exposed);
	note_owner(q);
	return DONE;
}

static int try_layers(const struct idm_path *layers, size_t n, const struct idm_map *map)
{
	int status = DONE;

	for (size_t i = 0; i < n && status == DONE; i++)
		status = try_mapping(&layers[i], map);
	return status;
}

/* The kernel writes into the work directory of a writable overlay. So only its parts are tried. */
static int try_overlay(struct request *q, const char *target)
{
	int status = begin_dry_run();

	if (status == DONE && !q->overlay.upper)
		return end_dry_run(mount_overlay(q, target), target);
	if (status == DONE)
		status = try_layers(q->layers.lower, q->layers.n_lower, q->maps.map);
	if (status == DONE)
		status = try_layers(q->layers.data, q->layers.n_data, q->maps.map);
	if (status == DONE)
		status = try_writable_directory(&q->upper);
	if (status == DONE)
		status = try_writable_directory(&q->work);
	if (status == DONE)
		status = try_target(target, q->mkdir);
	return end_dry_run(status, target);
}

static void report_layer_steps(const struct request *q)
{
	report_map_step(q->maps.map);
	for (size_t i = 0; i < q->layers.n_lower; i++)
		report_path_step("layer", q->layers.lower[i].path);
	if (q->overlay.upper)
		report_path_step("upper directory", q->upper.path);
}

static int handle_overlay(struct request *q, struct arguments *a)
{
	int letter, status;
	char **operand;

	while ((letter = next_command_option(a)) > 0) {
		status = parse_option_of_overlay(q, letter, (char *)a->value);
		if (status != DONE)
			return status;
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	if (operands(a, &operand) != 1)
		return report_operands(a, "one TARGET");
	if (!*operand[0])
		return report_usage("TARGET is empty");
	status = check_overlay_request(q);
	if (status == DONE)
		status = complete_filesystem_options(q);
	if (status != DONE)
		return status;
	report_layer_steps(q);
	return q->dry_run ? try_overlay(q, operand[0]) : mount_overlay(q, operand[0]);
}

static int run_overlay(int argc, char **argv)
{
	struct arguments a = { .command = &command_overlay, .argc = argc, .argv = argv };
	struct request q = { .overlay = IDM_OVERLAY_OPTIONS_INIT };
	int status = handle_overlay(&q, &a);

	free_request(&q);
	return status;
}

const struct command command_overlay = {
	.name = "overlay",
	.operands = "TARGET",
	.summary = "mount directories over each other, with other owners",
	.details = details,
	.options = options,
	.run = run_overlay,
};
