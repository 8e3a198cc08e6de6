// SPDX-License-Identifier: MIT
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/lowerdir.h"
#include "lib/base/macros.h"
#include "lib/base/mount-attr.h"
#include "lib/base/read-file.h"
#include "mount.h"
#include "new-filesystem.h"
#include "oci/start-program.h"
#include "report.h"

bool is_device_tag(const char *source)
{
	static const char *const tags[] = { "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=" };

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (strncmp(source, tags[i], strlen(tags[i])) == 0)
			return true;
	return false;
}

bool is_device_source(const char *source)
{
	struct stat st;

	return is_device_tag(source) || (stat(source, &st) == 0 && S_ISBLK(st.st_mode));
}

/* ---- what other programs know ---- */

/*
 * Returns the first line of a program's output, which the caller frees. NULL: the program has failed, or
 * could not be started, which has been reported.
 */
static char *read_answer(const char *const argv[])
{
	int ends[2], r;
	char *text = NULL;
	size_t length;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		report_failure("%s: make pipe: %s", argv[0], strerror(errno));
		return NULL;
	}
	r = start_program_to(argv, ends[1], &pid);
	close(ends[1]);
	if (r < 0)
		report_failure("%s: execute: %s", argv[0], strerror(-r));
	else if (idm_read_file(ends[0], IDM_READ_FILE_MOST, &text, &length) < 0)
		text = NULL;
	close(ends[0]);
	if (r == 0 && !has_program_succeeded(pid) && text)
		*text = '\0';
	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

/* PATH may lack the directory of such programs: for ordinary users, and for helpers of mount(8). */
static const char *find_program(const char *path)
{
	return access(path, X_OK) == 0 ? path : strrchr(path, '/') + 1;
}

/* Returns the path of a device, which the caller frees, or NULL after a report. */
static char *find_device(const char *source)
{
	const char *const argv[] = { find_program("/sbin/findfs"), source, NULL };
	char *path;

	if (!is_device_tag(source))
		return strdup(source);
	path = read_answer(argv);
	if (path && *path == '/')
		return path;
	report_failure("%s: find device: findfs(8) knows no such device", source);
	free(path);
	return NULL;
}

/* The same for a type. A device with the traces of several filesystems has none for blkid(8). */
static char *find_type(const struct mount_request *request, const char *device)
{
	const char *const argv[] = {
		find_program("/sbin/blkid"), "-p", "-s", "TYPE", "-o", "value", "--", device, NULL
	};
	char *type = request->type ? strdup(request->type) : read_answer(argv);

	if (type && *type)
		return type;
	report_failure("%s: find type: blkid(8) finds no filesystem, or several; name the type (%s)",
		       request->source, request->type_option);
	free(type);
	return NULL;
}

/* ---- mounting ---- */

#define MOST_WORDS 16

/* The plan understands words, as mount(8) does. */
static int open_mapped_filesystem(const char *type, const char *device, const struct idm_map *map,
				  uint32_t attributes)
{
	struct idm_plan_add_options add = IDM_PLAN_ADD_OPTIONS_INIT;
	const char *words[MOST_WORDS];
	char text[256], *rest = text;

	idm_describe_attr(attributes, IDM_PROPAGATION_DEFAULT, text, sizeof(text));
	while (rest && add.n_options < MOST_WORDS)
		words[add.n_options++] = idm_next_piece(&rest, ',');
	add.options = words;
	add.type = type;
	add.source = device;
	add.map = map;
	return open_new_filesystem(&add);
}

int open_device_tree(const struct mount_request *request, const struct mount_options *mount_options)
{
	AUTO_FREE char *device = find_device(request->source);
	AUTO_FREE char *type = device ? find_type(request, device) : NULL;
	int tree;

	if (!type)
		return -1;
	tree = request->dry_run ? open_unmapped_filesystem("tmpfs", NULL, 0)
				: open_mapped_filesystem(type, device, request->map, mount_options->set);
	if (tree >= 0)
		report_step(request->dry_run ? "found the filesystem (%s) on %s, which is not tried"
					     : "mounted the filesystem (%s) on %s, and mapped it",
			    type, device);
	return tree;
}
