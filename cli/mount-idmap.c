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
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef STATX_INO
#include <linux/stat.h> /* musl before 1.2.5 has no statx(2) */
#endif

#include "cli/common/option-names.h"
#include "cli/common/idmap-options.h"
#include "cli/common/mount.h"
#include "cli/common/quoted-options.h"
#include "cli/common/report.h"
#include "cli/common/standard-fds.h"

enum { MOUNT_USAGE = 1, MOUNT_SYSTEM = 2, MOUNT_FAILED = 32 };

/* The request of the command line. */
struct helper {
	struct mount_request mount;
	struct map_request maps;
	const char *namespace;
	bool sloppy, fake, verbose, nofail;
};

/* Options for mount(8) itself, for systemd and for fstab. */
static bool is_for_mount(const char *option)
{
	static const char *const known[] = {
		"defaults", "auto",  "noauto",	"user",	 "nouser",  "users",
		"nousers",  "owner", "noowner", "group", "nogroup", "_netdev",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i], option) == 0)
			return true;
	return strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0 ||
	       strncmp(option, "comment=", 8) == 0;
}

/* ---- options ---- */

static const char *value_of(const char *option, const char *key)
{
	size_t n = strlen(key);

	return strncmp(option, key, n) == 0 && option[n] == '=' ? option + n + 1 : NULL;
}

/* Sets an option of this helper that accepts no value. Returns false if it is another one. */
static bool set_own_flag(struct helper *h, const char *option)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "recursive", &h->mount.recursive }, { "mkdir", &h->mount.mkdir },
		{ "replace", &h->mount.replace },     { "nofail", &h->nofail },
		{ "keep-rest", &h->maps.keep_rest },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(flags[i].name, option) == 0)
			return *flags[i].flag = true;
	if (strcmp(option, "remap") != 0 && strcmp(option, "on-top") != 0)
		return false;
	h->mount.mapped_flags |= *option == 'r' ? IDM_TREE_REMAP : IDM_TREE_ON_TOP;
	return true;
}

static bool set_flag(struct helper *h, const char *option)
{
	if (set_own_flag(h, option) || is_for_mount(option))
		return true;
	if (strcmp(option, "rw") == 0) /* mount(8) passes "rw" whenever "ro" was not given */
		return true;
	/* mount(8) does not pass "suid" and "dev" on. */
	if (strcmp(option, "allow-suid") == 0 || strcmp(option, "allow-dev") == 0)
		option += strlen("allow-");
	return add_mount_option(&h->mount.mount_options, option, strlen(option));
}

static int report_option(const char *option)
{
	char name[32]; /* all known names are shorter */
	struct helper unused = { 0 };
	size_t n = strcspn(option, "=");

	snprintf(name, sizeof(name), "%.*s", (int)n, option);
	if (option[n] && set_flag(&unused, name))
		return report_wrong_value("", option, strlen(option));
	return report_usage("%s: unknown option; see mount.idmap(8)", option);
}

static int parse_helper_option(struct helper *h, const char *option)
{
	const char *value;

	if ((value = value_of(option, "map")))
		return add_map_option(&h->maps, 'm', value);
	if ((value = value_of(option, "userns")))
		return add_map_option(&h->maps, OPTION_USERNS, value);
	if (strcmp(option, "remount") == 0)
		return report_usage(
			"remount: an idmap mount cannot be changed; unmount it and mount it again, "
			"or use \"replace\"");
	return set_flag(h, option) || h->sloppy ? DONE : report_option(option);
}

static int parse_helper_options(struct helper *h, char *list)
{
	char *option;

	if (!quotes_are_closed(list))
		return report_usage("-o %s: a quote is not closed", list);
	while ((option = cut_quoted_option(&list))) {
		int status = *option ? parse_helper_option(h, option) : DONE;

		if (status != DONE)
			return status;
	}
	return DONE;
}

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
			h->sloppy = true;
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
				status = parse_helper_options(h, optarg);
			break;
		default:
			status = report_usage("usage: mount.idmap SOURCE TARGET [-sfnv] [-N NAMESPACE] "
					      "-o map=MAP[,OPTION]...");
		}
	}
	return status;
}

static int print_helper_usage(void)
{
	return print_line(
		       "usage: mount.idmap SOURCE TARGET [-sfnv] [-N NAMESPACE] -o map=MAP[,OPTION]...") ||
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
		status = report_usage("usage: mount.idmap SOURCE TARGET [-sfnv] [-N NAMESPACE] "
				      "-o map=MAP[,OPTION]...");
	if (status != DONE)
		return status;
	h->mount.source = argv[optind];
	h->mount.target = argv[optind + 1];
	status = parse_flags(h, argc, argv, true);
	if (status == DONE && h->mount.mapped_flags == (IDM_TREE_REMAP | IDM_TREE_ON_TOP))
		status = report_usage("remap and on-top exclude each other");
	if (status == DONE)
		status = complete_map(&h->maps, "-o map=MAP");
	h->mount.map = h->maps.map;
	return status;
}

/* ---- mounting ---- */

/* mount -N: a process number or a namespace file. mount(8) leaves entering it to its helpers. */
static int enter_mount_namespace(const char *namespace)
{
	char path[64];
	int fd, failed;

	if (!namespace[strspn(namespace, "0123456789")]) {
		snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", namespace);
		namespace = path;
	}
	fd = open(namespace, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		report_failure("%s: open mount namespace: %s", namespace, strerror(errno));
		return MOUNT_SYSTEM;
	}
	failed = setns(fd, CLONE_NEWNS);
	close(fd);
	if (!failed)
		return DONE;
	report_failure("%s: enter mount namespace: %s", namespace, strerror(errno));
	return MOUNT_SYSTEM;
}

enum { OTHER_MAP, SAME_MAP, UNKNOWN_MAP };

static int compare_map(const struct idm_mount_info *mount, void *data)
{
	if (mount->map_state == IDM_MAP_UNREADABLE)
		return UNKNOWN_MAP;
	return mount->map && idm_map_equal(mount->map, data) ? SAME_MAP : OTHER_MAP;
}

static bool stat_path(const char *path, struct statx *st)
{
	return syscall(SYS_statx, AT_FDCWD, path, 0, STATX_INO, st) == 0;
}

/* Returns whether the target is a mount point that shows the source. */
static bool shows_source(const struct mount_request *request)
{
	struct statx source, target;

	return stat_path(request->source, &source) && stat_path(request->target, &target) &&
	       target.stx_attributes & STATX_ATTR_MOUNT_ROOT &&
	       source.stx_dev_major == target.stx_dev_major &&
	       source.stx_dev_minor == target.stx_dev_minor && source.stx_ino == target.stx_ino;
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
 * Returns whether this very mount exists already. "mount -a" may run repeatedly. It detects by itself
 * only the types whose source it finds in the mount table.
 */
static int compare_mounted(const struct mount_request *request)
{
	struct idm_map *map = NULL;
	int r;

	if (!shows_source(request))
		return OTHER_MAP;
	r = expected_map(request, &map) < 0
		    ? UNKNOWN_MAP
		    : idm_list_path(AT_FDCWD, request->target, 0, compare_map, map, NULL);
	idm_map_free(map);
	return r;
}

/* "nofail": a missing source is no failure. */
static bool may_be_missing(const struct helper *h)
{
	return h->nofail && access(h->mount.source, F_OK) < 0 && errno == ENOENT;
}

static int report_if_verbose(const struct helper *h, const char *path, const char *what)
{
	if (h->verbose)
		print_line("mount.idmap: %s: %s", path, what);
	return DONE;
}

static int mount_idmap(struct helper *h)
{
	int status, mounted;

	if (h->fake)
		return DONE;
	if (h->namespace) {
		status = enter_mount_namespace(h->namespace);
		if (status != DONE)
			return status;
	}
	if (may_be_missing(h))
		return report_if_verbose(h, h->mount.source,
					 "does not exist, which is no failure (nofail)");
	mounted = h->mount.replace ? OTHER_MAP : compare_mounted(&h->mount);
	if (mounted == SAME_MAP)
		return report_if_verbose(h, h->mount.target, "already mounted");
	if (mounted == UNKNOWN_MAP) {
		report_failure("%s: already mounted, with a map that cannot be read on this kernel",
			       h->mount.target);
		return MOUNT_FAILED;
	}
	status = do_mount(&h->mount);
	if (status == DONE && h->verbose)
		print_line("mount.idmap: %s mounted on %s", h->mount.source, h->mount.target);
	return status == USAGE ? MOUNT_USAGE : status == FAILED ? MOUNT_FAILED : DONE;
}

int main(int argc, char **argv)
{
	struct helper h = { .mount.suid_options = "allow-suid,allow-dev" };
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
	map_request_free(&h.maps);
	return status;
}
