// SPDX-License-Identifier: MIT
#include "idmap-options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "lib/idmap/idmap.h"
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
	"  -m owner:0                    the owner of SOURCE appears as root (mount, run)\n"
	"Also accepted: uidmap=C:H:S,... and gidmap=... (containerd), uids=C-H-S#...;gids=... (crun),\n"
	"X-mount.idmap= values (util-linux), /proc/PID/ns/user.\n";

void map_request_free(struct map_request *request)
{
	idm_map_free(request->map);
	free(request->owner_text);
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

/* ---- the owner of the source ---- */

static bool is_kind(const char *text, size_t n)
{
	static const char *const kinds[] = { "u", "uid", "g", "gid", "b", "both" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i]) == n && strncmp(kinds[i], text, n) == 0)
			return true;
	return false;
}

bool names_owner(const char *text)
{
	static const char separators[] = ",+ \t\n\v\f\r";

	while (*text) {
		size_t n;

		text += strspn(text, separators);
		n = strcspn(text, ":");
		if (text[n] && is_kind(text, n))
			text += n + 1;
		if (strncmp(text, "owner:", 6) == 0)
			return true;
		text += strcspn(text, separators);
	}
	return false;
}

/* The source often comes later on the command line. */
static int keep_owner_text(struct map_request *request, const char *text)
{
	char *both;

	if (asprintf(&both, "%s%s%s", request->owner_text ? request->owner_text : "",
		     request->owner_text ? "," : "", text) < 0)
		return out_of_memory();
	free(request->owner_text);
	request->owner_text = both;
	return DONE;
}

int parse_owner_map_in(const char *where, struct idm_map *map, const char *text, const char *source)
{
	struct idm_error err;
	int r = idm_map_parse_owner(map, text, source, &err);

	return r < 0 ? report_map(r, where, text, &err) : DONE;
}

int refuse_owner_of_mapped(const char *where, const char *option)
{
	return report_usage("%sowner and %s exclude each other: the owner on disk is not the one that "
			    "the source shows",
			    where, option);
}

int complete_map_of_source(struct map_request *request, const char *how, const char *source)
{
	int status = DONE;

	if (request->owner_text && is_device_source(source))
		return report_usage("%s: owner stands for the owner of a file or directory, and %s is a "
				    "block device",
				    request->owner_text, source);
	if (request->owner_text)
		status = parse_owner_map_in("", request->map, request->owner_text, source);
	free(request->owner_text);
	request->owner_text = NULL;
	return status == DONE ? complete_map(request, how) : status;
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
	if (names_owner(value))
		return keep_owner_text(request, value);
	return parse_map_option(request->map, value);
}

int report_failed_mapping(const struct idm_error *err, bool keep_rest)
{
	int status = report_error(err);

	if (keep_rest && err->step == IDM_STEP_ASK_SERVICE && err->errnum == EPERM)
		report_note(
			"--keep-rest adds the IDs of this user namespace as disk IDs, which count on "
			"the host; leave it out");
	return status;
}

int complete_map(struct map_request *request, const char *how)
{
	struct idm_error err;

	if (!request->given)
		return report_usage("a map is missing; use %s", how);
	if (request->owner_text)
		return report_usage(
			"%s: owner stands for the owner of a source, which is not known here",
			request->owner_text);
	if (!request->keep_rest)
		return DONE;
	return idm_map_keep_rest(request->map, IDM_BOTH, &err) < 0 ? report_error(&err) : DONE;
}

enum idm_upper_ids parse_upper_ids(const char *value)
{
	return strcmp(value, "disk") == 0 ? IDM_UPPER_DISK : IDM_UPPER_SHIFTED;
}

char *format_map_text(const struct idm_map *map)
{
	ssize_t length = idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, NULL, 0);
	char *text = length < 0 ? NULL : malloc((size_t)length + 1);

	if (text)
		idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, text, (size_t)length + 1);
	return text;
}

void report_map_step(const struct idm_map *map)
{
	char *text = map ? format_map_text(map) : NULL;

	report_step("map: %s", text ? text : "none");
	free(text);
}
