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

/* The first line of a program's output, which the caller frees, and its exit status. */
struct answer {
	char *line; /* NULL if there is no output */
	int status; /* -1: a signal killed it */
};

/* Returns false after a report, if the program cannot be started. */
static bool ask_program(const char *const argv[], struct answer *answer)
{
	int ends[2], r;
	size_t length;
	pid_t pid;

	*answer = (struct answer){ 0 };
	if (pipe2(ends, O_CLOEXEC) < 0) {
		report_failure("%s: make pipe: %s", argv[0], strerror(errno));
		return false;
	}
	r = start_program_to(argv, ends[1], &pid);
	close(ends[1]);
	if (r < 0) {
		close(ends[0]);
		report_failure("%s: execute: %s", argv[0], strerror(-r));
		return false;
	}
	r = idm_read_file(ends[0], IDM_READ_FILE_MOST, &answer->line, &length);
	close(ends[0]);
	answer->status = wait_for_program(pid);
	if (r < 0)
		answer->line = NULL;
	else
		answer->line[strcspn(answer->line, "\n")] = '\0';
	return true;
}

/* PATH may lack the directory of such programs: for ordinary users, and for helpers of mount(8). */
static const char *find_program(const char *path)
{
	return access(path, X_OK) == 0 ? path : strrchr(path, '/') + 1;
}

int find_tagged_device(const char *tag, char **device)
{
	const char *const argv[] = { find_program("/sbin/findfs"), tag, NULL };
	struct answer answer;

	*device = NULL;
	if (!ask_program(argv, &answer))
		return FAILED;
	if (answer.status == 0 && answer.line && *answer.line == '/')
		*device = answer.line;
	else
		free(answer.line);
	return DONE;
}

void report_no_device(const char *tag)
{
	report_failure("%s: find device: findfs(8) knows no such device", tag);
}

/* Returns the path of a device, which the caller frees, or NULL after a report. */
static char *find_device(const char *source)
{
	char *device;

	if (!is_device_tag(source))
		return strdup(source);
	if (find_tagged_device(source, &device) == DONE && !device)
		report_no_device(source);
	return device;
}

/*
 * The exit statuses are those of util-linux. Other programs of that name lack the option -p. Of traces
 * of several filesystems release 2.41 says 2, as of none.
 */
static void report_no_type(const struct mount_request *request, const char *device, int status)
{
	if ((status == 0 || status == 2) && access(device, R_OK) < 0)
		report_failure("%s: find type: %s", request->source, strerror(errno));
	else if (status == 0 || status == 2)
		report_failure("%s: find type: blkid(8) finds no filesystem on it, or no certain one",
			       request->source);
	else if (status == 8)
		report_failure(
			"%s: find type: blkid(8) finds traces of several filesystems; name the type "
			"(%s), or erase the others with wipefs(8)",
			request->source, request->type_option);
	else
		report_failure("%s: find type: blkid(8) of util-linux fails; name the type (%s)",
			       request->source, request->type_option);
}

char *find_device_type(const struct mount_request *request, const char *device)
{
	const char *const argv[] = {
		find_program("/sbin/blkid"), "-p", "-s", "TYPE", "-o", "value", "--", device, NULL
	};
	struct answer answer;

	if (request->type)
		return strdup(request->type);
	if (!ask_program(argv, &answer))
		return NULL;
	if (answer.status == 0 && answer.line && *answer.line)
		return answer.line;
	report_no_type(request, device, answer.status);
	free(answer.line);
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

/* Another process can have put the device there, since the caller looked. */
static bool may_find_device(const struct mount_request *request)
{
	if (!request->no_programs || (request->type && !is_device_tag(request->source)))
		return true;
	report_failure("%s: find type: it was no device at first", request->source);
	return false;
}

int open_device_tree(const struct mount_request *request, const struct mount_options *mount_options)
{
	bool allowed = may_find_device(request);
	AUTO_FREE char *device = allowed ? find_device(request->source) : NULL;
	AUTO_FREE char *type = device ? find_device_type(request, device) : NULL;
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
