// SPDX-License-Identifier: MIT
#include "idmap-options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "option-names.h"
#include "report.h"

const char map_details[] =
	"Maps. DISK is the ID stored in the filesystem, SEEN the one that appears; COUNT IDs from\n"
	"each on, 1 if left out. u: maps users, g: groups, b: (or nothing) both. IDs that no entry\n"
	"names appear as the overflow ID (65534) unless --keep-rest is given. -m may be repeated.\n"
	"  -m 1000:2000 --keep-rest      files of 1000 appear as 2000's, all others stay\n"
	"  -m 0:100000:65536             the IDs of a container's image as on its host\n"
	"  -m u:alice:bob,g:staff:users  by name\n"
	"  -m auto:alice                 to alice's ranges in /etc/subuid and /etc/subgid\n"
	"Also accepted: uidmap=C:H:S,... and gidmap=... (containerd), uids=C-H-S#...;gids=... (crun),\n"
	"X-mount.idmap= values (util-linux), /proc/PID/ns/user.\n";

void map_request_free(struct map_request *request)
{
	idm_map_free(request->map);
}

static int have_map(struct map_request *request)
{
	request->given = true;
	if (request->map || idm_map_new(&request->map) == 0)
		return DONE;
	return out_of_memory();
}

/*
 * A malformed map is wrong usage. A map that names a missing thing, or a file that is not a map, fails.
 */
static int report_map(int code, const char *where, const char *text, const struct idm_error *err)
{
	report_error_in(where, err);
	return code == -EINVAL && *text != '/' ? USAGE : FAILED;
}

int parse_map_option_in(const char *where, struct idm_map *map, const char *text)
{
	struct idm_error err;
	int r = idm_map_parse(map, text, IDM_MAP_PARSE_LOOKUP, &err);

	return r < 0 ? report_map(r, where, text, &err) : DONE;
}

int parse_map_option(struct idm_map *map, const char *text)
{
	return parse_map_option_in("", map, text);
}

/* The library reads an absolute path as a user namespace. */
static int add_userns_path(struct idm_map *map, const char *path)
{
	char *directory, *whole = NULL;
	int status;

	if (*path == '/')
		return parse_map_option(map, path);
	directory = getcwd(NULL, 0);
	if (!directory)
		return report_failure("%s: open user namespace: %s", path, strerror(errno));
	if (asprintf(&whole, "%s/%s", directory, path) < 0)
		whole = NULL;
	free(directory);
	status = whole ? parse_map_option(map, whole) : out_of_memory();
	free(whole);
	return status;
}

static int add_userns(struct idm_map *map, const char *value)
{
	static const char userns[] = "idm_map_add_userns()";
	struct idm_error err;
	long pid;

	if (!*value)
		return report_usage("%s: expected a path or a process number", option_name(userns));
	if (value[strspn(value, "0123456789")])
		return add_userns_path(map, value);
	pid = strtol(value, NULL, 10);
	if (pid < 1 || pid > INT_MAX)
		return report_usage("%s: expected a process number, got %s", option_name(userns), value);
	return idm_map_add_pid(map, (pid_t)pid, &err) < 0 ? report_error(&err) : DONE;
}

int add_map_option(struct map_request *request, int letter, const char *value)
{
	int status;

	if (letter == OPTION_KEEP_REST) {
		request->keep_rest = true;
		return DONE;
	}
	status = have_map(request);
	if (status != DONE)
		return status;
	if (letter == OPTION_USERNS)
		return add_userns(request->map, value);
	return parse_map_option(request->map, value);
}

int complete_map(struct map_request *request, const char *how)
{
	struct idm_error err;

	if (!request->given)
		return report_usage("a map is missing; use %s", how);
	if (!request->keep_rest)
		return DONE;
	return idm_map_keep_rest(request->map, IDM_BOTH, &err) < 0 ? report_error(&err) : DONE;
}

enum idm_upper_ids parse_upper_ids(const char *value)
{
	return strcmp(value, "disk") == 0 ? IDM_UPPER_DISK : IDM_UPPER_SHIFTED;
}

void report_map_step(const struct idm_map *map)
{
	ssize_t length = map ? idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, NULL, 0) : -1;
	char *text = length < 0 ? NULL : malloc((size_t)length + 1);

	if (text)
		idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, text, (size_t)length + 1);
	report_step("map: %s", text ? text : "none");
	free(text);
}
