// SPDX-License-Identifier: MIT
/*
 * Two things lead from an ID to its user. The kernel knows who created a user namespace, so the
 * outermost one tells whose processes are in it. No database has to know that user. But a user can also
 * have a setuid program of a subordinate ID, and execute it outside of all namespaces. The line in
 * /etc/subuid tells whose ID that is.
 *
 * The files are read for each connection: a stale line would count a connection for another user. No
 * name service is asked, since one can wait for a network.
 */
#include "owner.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/macros.h"
#include "lib/base/subid-line.h"
#include "lib/sys/syscall.h"
#include "peer.h"

#define NS_GET_OWNER _IO(0xb7, 0x4) /* NS_GET_OWNER_UID, Linux 4.11 */

/* ---- /etc/subuid ---- */

/* Space for a line, and its parts. */
struct found_line {
	char text[IDM_SUBID_LINE_MAX + 2];
	struct idm_subid_line line;
};

/* The next line that `accepts`. */
static bool find_subuid_line(FILE *subuid, struct found_line *found,
			     bool (*accepts)(const struct idm_subid_line *line, const void *data),
			     const void *data)
{
	while (idm_read_subid_line(subuid, found->text, &found->line))
		if (accepts(&found->line, data))
			return true;
	return false;
}

static bool has_id(const struct idm_subid_line *line, const void *id)
{
	const uint32_t wanted = *(const uint32_t *)id;

	return wanted >= line->start && wanted - line->start < line->count;
}

static bool is_line_of(const struct idm_subid_line *line, const void *owner)
{
	return strcmp(line->owner, owner) == 0;
}

static bool find_user(FILE *passwd, const char *name, uint32_t *uid)
{
	const struct passwd *p = NULL;

	while (passwd && (p = fgetpwent(passwd)) && strcmp(p->pw_name, name) != 0)
		;
	if (p)
		*uid = p->pw_uid;
	return p;
}

/* The format has uids, too. */
static bool parse_owner_uid(const char *owner, uint32_t *uid)
{
	char *end;
	unsigned long long number = strtoull(owner, &end, 10);

	*uid = (uint32_t)number;
	return !*end && number < UINT32_MAX;
}

uint32_t find_subordinate_owner(FILE *subuid, FILE *passwd, uint32_t id)
{
	struct found_line found, first;
	uint32_t uid;

	if (!subuid)
		return id;
	rewind(subuid);
	if (!find_subuid_line(subuid, &found, has_id, &id))
		return id;
	if (find_user(passwd, found.line.owner, &uid) || parse_owner_uid(found.line.owner, &uid))
		return uid;
	rewind(subuid);
	if (find_subuid_line(subuid, &first, is_line_of, found.line.owner))
		return (uint32_t)first.line.start;
	return id;
}

static void close_stream(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define AUTO_STREAM __attribute__((cleanup(close_stream)))

static bool has_line_for(FILE *subuid, uint32_t id)
{
	struct found_line found;

	return find_subuid_line(subuid, &found, has_id, &id);
}

/* Most clients connect as their user, whose ID is in no line. */
static uint32_t ask_files(uint32_t id)
{
	AUTO_STREAM FILE *subuid = fopen("/etc/subuid", "re"), *passwd = NULL;

	if (!subuid || !has_line_for(subuid, id))
		return id;
	passwd = fopen("/etc/passwd", "re");
	return find_subordinate_owner(subuid, passwd, id);
}

/* ---- the user namespaces ---- */

/* Closes the descriptor, or returns it. The result is directly below the initial user namespace. */
static int find_outermost(int userns)
{
	int parent = idm_sys_ioctl(userns, IDM_NS_GET_PARENT, NULL);

	while (parent >= 0 && !idm_is_initial_userns(parent)) {
		close(userns);
		userns = parent;
		parent = idm_sys_ioctl(userns, IDM_NS_GET_PARENT, NULL);
	}
	if (parent < 0) {
		close(userns);
		return parent;
	}
	close(parent);
	return userns;
}

/* Closes the descriptor. It is not of the initial user namespace. */
static int find_creator(int userns, struct owner *owner)
{
	AUTO_CLOSE int outermost = find_outermost(userns);
	struct stat st;
	uid_t creator;
	int r = outermost < 0 ? outermost : idm_sys_ioctl(outermost, NS_GET_OWNER, &creator);

	if (r < 0)
		return r;
	*owner = (struct owner){ .id = creator };
	if (creator == 0 && idm_sys_fstatat(outermost, "", &st, AT_EMPTY_PATH) == 0)
		*owner = (struct owner){ st.st_ino, true };
	return 0;
}

/*
 * Leaves *owner as it is where the kernel does not tell. Before Linux 6.5 it knows a number only, and a
 * number can be another user's by now. So a client could count for that user.
 */
static int ask_for_peer(int connection, struct owner *owner)
{
	AUTO_CLOSE int pidfd = get_peer_pidfd(connection);
	AUTO_CLOSE int userns = pidfd < 0 ? pidfd : open_userns_of(pidfd);

	if (pidfd == -ENOPROTOOPT || idm_is_shortage(pidfd) || idm_is_shortage(userns))
		return 0;
	if (pidfd < 0 || userns == -ESRCH)
		return -ESRCH;
	if (userns >= 0 && !idm_is_initial_userns(userns))
		find_creator(idm_steal_fd(&userns), owner);
	return 0;
}

/* It is the number of no namespace. */
static const struct owner gone = { 0, true };

int find_owner(int connection, const struct ucred *client, struct owner *owner)
{
	int r;

	*owner = (struct owner){ .id = client->uid };
	r = ask_for_peer(connection, owner);
	if (r == -ESRCH)
		*owner = gone;
	if (!owner->is_userns)
		owner->id = ask_files((uint32_t)owner->id);
	return r;
}
