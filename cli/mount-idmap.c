// SPDX-License-Identifier: MIT
/*
 * The helper that mount(8) runs for "-t idmap" and for lines of type idmap in /etc/fstab:
 *
 *   mount.idmap SOURCE TARGET [-sfnv] [-N NAMESPACE] [-t TYPE] -o OPTIONS
 *
 * Exit status as mount(8) says: 0 done, 1 wrong usage or no permission, 2 system error, 32 failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/device.h"
#include "cli/common/fstab-options.h"
#include "cli/common/option-names.h"
#include "cli/common/mount.h"
#include "cli/common/mount-namespace.h"
#include "cli/common/mount-record.h"
#include "cli/common/mount-root.h"
#include "cli/common/report.h"
#include "cli/common/standard-fds.h"

enum { MOUNT_USAGE = 1, MOUNT_SYSTEM = 2, MOUNT_FAILED = 32 };

static const char usage[] =
	"usage: mount.idmap SOURCE TARGET [-sfnv] [-N NAMESPACE] [-t TYPE] -o map=MAP[,OPTION]...";

static int as_mount_status(int status)
{
	return status == USAGE ? MOUNT_USAGE : status == FAILED ? MOUNT_FAILED : DONE;
}

/* The request of the command line. */
struct helper {
	struct fstab_options options;
	const char *namespace;
	char *device; /* of a source that is a tag; NULL: none is there */
	char *type;   /* of a device in another namespace */
	bool fake, verbose;
	bool missing; /* the source, with "nofail" */
};

/* The options are read twice: -s decides, at any position, about unknown options in -o. */
static int parse_flags(struct helper *h, int argc, char **argv, bool options)
{
	static const struct option no_longs[] = { { 0 } };
	int letter, status = DONE;

	optind = 1;
	opterr = 0;
	/* Not getopt(), which stops at the first operand where libc is musl. */
	while (status == DONE &&
	       (letter = getopt_long(argc, argv, "sfnvN:t:o:h", no_longs, NULL)) != -1) {
		switch (letter) {
		case 's':
			h->options.sloppy = true;
			break;
		case 'f':
			h->fake = true;
			break;
		case 'n': /* no program writes /etc/mtab any more */
		case 't': /* the type is in the helper's name */
			break;
		case 'v':
			h->verbose = true;
			if (options)
				report_steps();
			break;
		case 'N':
			h->namespace = optarg;
			break;
		case 'o':
			if (options)
				status = parse_fstab_options(&h->options, optarg);
			break;
		default:
			status = report_usage("%s", usage);
		}
	}
	return status;
}

static int print_helper_usage(void)
{
	return print_line("%s", usage) ||
	       print_line("mount(8) runs it for the type idmap; see mount.idmap(8).");
}

/* Answers --help and --version, which people give alone. Returns false if neither is there. */
static bool answer_question(int argc, char **argv, int *status)
{
	const char *option = argc == 2 ? argv[1] : "";

	if (strcmp(option, "-V") == 0 || strcmp(option, "--version") == 0)
		*status = print_line("mount.idmap %s", idm_version());
	else if (strcmp(option, "-h") == 0 || strcmp(option, "--help") == 0)
		*status = print_helper_usage();
	else
		return false;
	*status = finish_output(*status);
	return true;
}

static int read_helper_arguments(struct helper *h, int argc, char **argv)
{
	int status = parse_flags(h, argc, argv, false);

	if (status == DONE && argc - optind != 2)
		status = report_usage("%s", usage);
	if (status != DONE)
		return status;
	h->options.mount.source = argv[optind];
	h->options.mount.target = argv[optind + 1];
	status = parse_flags(h, argc, argv, true);
	return status == DONE ? complete_fstab_options(&h->options) : status;
}

/* ---- mounting ---- */

static int compare_map(const struct idm_mount_info *mount, void *data)
{
	if (mount->map_state == IDM_MAP_UNREADABLE)
		return UNKNOWN_MAP;
	return mount->map && idm_map_equal(mount->map, data) ? SAME_MAP : OTHER_MAP;
}

static int compare_device(const struct idm_mount_info *mount, void *data)
{
	const struct stat *device = data;
	struct stat st;

	return stat(mount->source, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == device->st_rdev;
}

/* Files of btrfs have a device number of their own. */
static bool shows_device(const char *target, const struct stat *file, struct stat *device)
{
	return device->st_rdev == file->st_dev ||
	       idm_list_path(AT_FDCWD, target, 0, compare_device, device, NULL) == 1;
}

/* Returns whether the target is a mount point that shows the source. */
static bool shows_source(const struct mount_request *request)
{
	struct stat source, target;

	return stat(request->source, &source) == 0 && stat(request->target, &target) == 0 &&
	       is_mount_root(AT_FDCWD, request->target) &&
	       (S_ISBLK(source.st_mode)
			? shows_device(request->target, &target, &source)
			: source.st_dev == target.st_dev && source.st_ino == target.st_ino);
}

static int append_source_map(const struct idm_mount_info *mount, void *data)
{
	struct idm_map **map = data, *both;
	int r;

	if (!mount->map)
		return mount->map_state == IDM_MAP_UNREADABLE ? -EOPNOTSUPP : 0;
	if (idm_map_copy(mount->map, &both) < 0)
		return -ENOMEM;
	r = idm_map_compose(both, *map);
	idm_map_free(r < 0 ? both : *map);
	if (r == 0)
		*map = both;
	return r;
}

/*
 * Finds the map that the target would have. With "on-top" that is the source's map, followed by the
 * request's.
 */
static int expected_map(const struct mount_request *request, struct idm_map **map)
{
	int r = idm_map_copy(request->map, map);

	if (r == 0 && request->mapped_flags & IDM_TREE_ON_TOP)
		r = idm_list_path(AT_FDCWD, request->source, 0, append_source_map, map, NULL);
	return r;
}

/*
 * Before Linux 6.15 the helper's own record tells the map. Before 6.8 another mount can have got the ID
 * of a recorded one: so the owner must agree, too. Nothing else tells them apart if the map lacks it.
 */
static bool shows_owner(const struct mount_request *request)
{
	struct stat source, target;
	uint32_t uid, gid;

	return stat(request->source, &source) == 0 && stat(request->target, &target) == 0 &&
	       (S_ISBLK(source.st_mode) ||
		((idm_map_to_seen(request->map, IDM_UID, source.st_uid, &uid) < 0 ||
		  uid == target.st_uid) &&
		 (idm_map_to_seen(request->map, IDM_GID, source.st_gid, &gid) < 0 ||
		  gid == target.st_gid)));
}

/*
 * Returns whether this very mount exists already. "mount -a" may run repeatedly. It detects by itself
 * only the types whose source it finds in the mount table. A negative value is a failure that has been
 * reported.
 */
static int compare_mounted(const struct helper *h)
{
	const struct mount_request *request = &h->options.mount;
	struct idm_map *map = NULL;
	int r = UNKNOWN_MAP;
	struct idm_error err;

	if (!shows_source(request))
		return OTHER_MAP;
	if (expected_map(request, &map) == 0) {
		r = idm_list_path(AT_FDCWD, request->target, 0, compare_map, map, &err);
		if (r < 0)
			report_error(&err);
		/* The records of another namespace can be another user's. */
		if (r == UNKNOWN_MAP && !h->namespace && shows_owner(request))
			r = compare_recorded_map(request->target, map);
	}
	idm_map_free(map);
	return r;
}

/* The table of mounts has the path of a device. mount(8) passes that, too, and other callers pass the
 * tag. */
static int resolve_tag(struct helper *h)
{
	if (!is_device_tag(h->options.mount.source))
		return DONE;
	if (find_tagged_device(h->options.mount.source, &h->device) != DONE)
		return MOUNT_FAILED;
	if (h->device)
		h->options.mount.source = h->device;
	if (h->device || h->options.nofail)
		return DONE;
	report_no_device(h->options.mount.source);
	return MOUNT_FAILED;
}

static int report_if_verbose(const struct helper *h, const char *path, const char *what)
{
	if (h->verbose)
		print_line("mount.idmap: %s: %s", path, what);
	return DONE;
}

/*
 * Looks up names, and the type of the filesystem on a device. `source` is its path by a descriptor,
 * which also leads other processes there.
 */
static int ask_about_source(struct helper *h, const char *source)
{
	struct mount_request *request = &h->options.mount;
	struct stat st;
	int status = complete_fstab_owner(&h->options, source);

	if (status != DONE || request->type || stat(source, &st) < 0 || !S_ISBLK(st.st_mode))
		return status;
	h->type = find_device_type(request, source);
	request->type = h->type;
	return h->type ? DONE : FAILED;
}

/* Sets *fd to a descriptor of the source in the other namespace, or to a negative errno. */
static int open_source(const struct helper *h, const struct mount_namespace *ns, int *fd)
{
	int status = enter_mount_namespace(ns, h->namespace);

	if (status != DONE)
		return status;
	*fd = open(h->options.mount.source, O_PATH | O_CLOEXEC);
	if (*fd < 0)
		*fd = -errno;
	return leave_mount_namespace(ns);
}

static int look_from_outside(struct helper *h, const struct mount_namespace *ns)
{
	int source = -1, status = open_source(h, ns, &source);
	char path[64];

	h->missing = source == -ENOENT && h->options.nofail;
	snprintf(path, sizeof(path), "/proc/%ld/fd/%d", (long)getpid(), source);
	if (status != DONE)
		status = MOUNT_SYSTEM;
	else if (source >= 0)
		status = as_mount_status(ask_about_source(h, path));
	else if (!h->missing) {
		report_failure("%s: open source: %s", h->options.mount.source, strerror(-source));
		status = MOUNT_FAILED;
	}
	if (source >= 0)
		close(source);
	return status;
}

/* mount(8) leaves entering the namespace of -N to its helpers. */
static int enter_namespace(struct helper *h)
{
	struct mount_namespace ns = MOUNT_NAMESPACE_NONE;
	int status = MOUNT_SYSTEM;

	h->options.mount.no_programs = true;
	if (open_mount_namespace(&ns, h->namespace) == DONE)
		status = look_from_outside(h, &ns);
	if (status == DONE && enter_mount_namespace(&ns, h->namespace) != DONE)
		status = MOUNT_SYSTEM;
	close_mount_namespace(&ns);
	return status;
}

/* Completes the request. Then this process is in the namespace of the mount. */
static int prepare_mount(struct helper *h)
{
	const char *source;
	int status = resolve_tag(h);

	if (status != DONE)
		return status;
	source = h->options.mount.source;
	if (h->options.nofail && is_device_tag(source)) {
		h->missing = true;
		return DONE;
	}
	if (h->namespace)
		return enter_namespace(h);
	h->missing = h->options.nofail && access(source, F_OK) < 0 && errno == ENOENT;
	status = h->missing ? DONE : complete_fstab_owner(&h->options, source);
	return as_mount_status(status);
}

static int report_unknown_map(const struct helper *h)
{
	report_failure("%s: already mounted, with a map that this kernel does not tell, and mount.idmap "
		       "has no record of it",
		       h->options.mount.target);
	return MOUNT_FAILED;
}

static int mount_where_nothing_is(struct helper *h)
{
	const struct mount_request *request = &h->options.mount;
	int status = do_mount(&h->options.mount);

	if (status == DONE && !h->namespace)
		record_map(request->target, request->map);
	if (status == DONE && h->verbose)
		print_line("mount.idmap: %s mounted on %s", request->source, request->target);
	return as_mount_status(status);
}

static int mount_idmap(struct helper *h)
{
	int status = h->fake ? DONE : prepare_mount(h), mounted;

	if (h->fake || status != DONE)
		return status;
	if (h->missing)
		return report_if_verbose(h, h->options.mount.source,
					 "does not exist, which is no failure (nofail)");
	mounted = h->options.mount.replace ? OTHER_MAP : compare_mounted(h);
	if (mounted < 0)
		return MOUNT_FAILED;
	if (mounted == SAME_MAP)
		return report_if_verbose(h, h->options.mount.target, "already mounted");
	return mounted == UNKNOWN_MAP ? report_unknown_map(h) : mount_where_nothing_is(h);
}

int main(int argc, char **argv)
{
	struct helper h = { .options.mount.suid_options = "allow-suid,allow-dev",
			    .options.mount.type_option = "fstype=" };
	int status;

	report_as("mount.idmap");
	if (open_standard_fds() != DONE)
		return MOUNT_SYSTEM;
	set_front_end(FRONT_END_HELPER);
	if (answer_question(argc, argv, &status))
		return status;
	status = read_helper_arguments(&h, argc, argv);
	if (status == DONE)
		status = mount_idmap(&h);
	else
		status = status == FAILED ? MOUNT_FAILED : MOUNT_USAGE;
	map_request_free(&h.options.maps);
	free(h.device);
	free(h.type);
	return status;
}
