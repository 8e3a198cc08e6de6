// SPDX-License-Identifier: MIT
/*
 * Credentials of --user replace those of the process. The name service of the caller knows nothing about
 * the users in a container. So there the user and the group are numbers.
 */
#include "subject.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common/container-userns.h"
#include "cli/common/report.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/idmap/nss.h"
#include "lib/sys/capability.h"
#include "lib/sys/file-type.h"
#include "lib/sys/syscall.h"
#include "lib/sys/userns-parents.h"
#include "process-file.h"

#define NAME_MOST 256
#define EVERY_CAPABILITY ((1ULL << (CAP_LAST_CAP + 1)) - 1)

bool parse_id_until(const char *text, char end, uint32_t *id, const char **rest)
{
	unsigned long value;
	char *after;

	errno = 0;
	value = strtoul(text, &after, 10);
	if (*text < '0' || *text > '9' || errno || value >= IDM_EXPLAIN_NO_ID ||
	    (*after && *after != end))
		return false;
	*id = (uint32_t)value;
	*rest = *after ? after + 1 : after;
	return true;
}

int parse_process_number(const char *option, const char *text, pid_t *pid)
{
	uint32_t number;
	const char *rest;

	if (!parse_id_until(text, '\0', &number, &rest) || !number || number > INT32_MAX)
		return report_usage("--%s: %s: expected a process number", option, text);
	*pid = (pid_t)number;
	return DONE;
}

static bool is_whole_id(const char *text, uint32_t *id)
{
	const char *rest;

	return parse_id_until(text, '\0', id, &rest);
}

/* ---- users ---- */

static const char *lookup_errno_text(int code)
{
	return code == -ENOENT ? "not found" : strerror(-code);
}

/* Sets the IDs of an account, and its name. A number without an account has no name. */
static int find_account_of(const char *user, struct idm_ids *ids, char name[NAME_MOST])
{
	*name = '\0';
	if (!is_whole_id(user, &ids->uid)) {
		strncat(name, user, NAME_MOST - 1);
		return idm_nss_find_user(user, ids);
	}
	return idm_nss_find_name(ids->uid, name, NAME_MOST) == 0 ? idm_nss_find_user(name, ids)
								 : -ENOENT;
}

static int find_group_of(struct subject *s, const char *group)
{
	int r = is_whole_id(group, &s->gid) ? 0 : idm_nss_find_group(group, &s->gid);

	return r == 0 ? DONE
		      : report_failure("--user: %s: look up the group: %s", group, lookup_errno_text(r));
}

static int look_up_user(struct subject *s, const char *user, const char *group)
{
	struct idm_ids ids = { 0, 0 };
	char name[NAME_MOST];
	int r = find_account_of(user, &ids, name);

	s->uid = ids.uid;
	s->gid = ids.gid;
	if (r < 0 && !is_whole_id(user, &s->uid))
		return report_failure("--user: %s: look up the user: %s", user, lookup_errno_text(r));
	if (r < 0 && !group)
		return report_failure("--user: %s: expected USER:GROUP, since no account has this ID",
				      user);
	if (group && find_group_of(s, group) != DONE)
		return FAILED;
	/* Without an account, it is in no group but its own. */
	r = r < 0 ? 0 : idm_nss_find_groups(name, s->gid, &s->groups, &s->n_groups);
	return r == 0 ? DONE : report_failure("--user: %s: look up the groups: %s", user, strerror(-r));
}

static int parse_numbers(struct subject *s)
{
	const char *rest;

	if (!parse_id_until(s->user, ':', &s->uid, &rest) || !is_whole_id(rest, &s->gid))
		return report_usage("--user: %s: expected UID:GID, since the name service knows no user "
				    "of another user namespace",
				    s->user);
	return DONE;
}

static int find_named_user(struct subject *s)
{
	char *user = strdup(s->user), *group = user ? strchr(user, ':') : NULL;
	int status;

	if (!user)
		return out_of_memory();
	if (group)
		*group++ = '\0';
	if (*user && (!group || *group))
		status = look_up_user(s, user, group);
	else
		status = report_usage("--user: %s: expected USER or USER:GROUP", s->user);
	free(user);
	return status;
}

/* ---- all of it ---- */

static int check_combination(const struct subject *s)
{
	if (s->pid && s->container)
		return report_usage("--pid and --container exclude each other");
	if (s->userns_pid && !s->user)
		return report_usage("--userns requires --user");
	if (s->userns_pid && (s->pid || s->container))
		return report_usage("--userns excludes --pid and --container");
	return DONE;
}

int prepare_subject(struct subject *s)
{
	int status = check_combination(s);

	if (status == DONE && s->user)
		status = s->pid || s->container || s->userns_pid ? parse_numbers(s) : find_named_user(s);
	if (status == DONE && s->container)
		status = find_container(s);
	if (status == DONE && s->userns_pid)
		status = read_container_userns(s->userns_pid, &s->userns_map);
	return status;
}

void free_subject(struct subject *s)
{
	free(s->groups);
	idm_map_free(s->userns_map);
	if (s->container_pidfd > 0)
		close(s->container_pidfd);
}

int check_container_alive(const struct subject *s)
{
	if (s->container_pidfd <= 0 || idm_sys_pidfd_send_signal(s->container_pidfd, 0) != -ESRCH)
		return DONE;
	return report_failure("--container: %s: process %d exited before the end", s->container,
			      (int)s->pid);
}

/* ---- facts ---- */

static int convert_user(const struct subject *s, struct idm_explain_options *facts,
			struct idm_error *err)
{
	const struct idm_map *map = facts->userns_map;

	facts->fsuid = s->uid;
	facts->fsgid = s->gid;
	if (map && idm_map_to_seen(map, IDM_UID, s->uid, &facts->fsuid) < 0)
		return idm_fail(err, -EINVAL, IDM_STEP_EXPLAIN, NULL,
				"the user namespace does not have user %u", s->uid);
	if (map && idm_map_to_seen(map, IDM_GID, s->gid, &facts->fsgid) < 0)
		return idm_fail(err, -EINVAL, IDM_STEP_EXPLAIN, NULL,
				"the user namespace does not have group %u", s->gid);
	return 0;
}

uint64_t user_capabilities(const struct subject *s, const struct idm_explain_info *place, uint32_t uid)
{
	if (uid != 0)
		return 0;
	return s->userns_map ? EVERY_CAPABILITY : place->bounding_set;
}

/* That of the process, or of --userns. -1: the initial one. */
static int open_subject_userns(const struct subject *s, int *userns_fd)
{
	AUTO_CLOSE int ns = open_process_file(s->userns_pid ? s->userns_pid : s->pid, "ns/user",
					      O_RDONLY);

	if (ns < 0)
		return -errno;
	*userns_fd = idm_is_initial_userns(ns) ? -1 : idm_steal_fd(&ns);
	return 0;
}

/*
 * Two user namespaces can have the same map, so that the namespace itself is compared. Returns 0, or
 * -errno: that is not visible, and the facts have none.
 */
static int find_fs_capabilities(const struct subject *s, const struct idm_explain_info *place,
				struct idm_explain_options *facts)
{
	AUTO_CLOSE int ns = -1;
	struct idm_userns_member member = { .uid = facts->fsuid, .capabilities = facts->capabilities };
	int r;

	facts->fs_capabilities = 0;
	if (!facts->userns_map && place->fs_userns_fd < 0)
		facts->fs_capabilities = idm_in_initial_userns() ? facts->capabilities : 0;
	if (place->fs_userns_fd < 0)
		return 0;
	r = open_subject_userns(s, &ns);
	member.userns_fd = ns;
	return r < 0 ? r
		     : idm_find_capabilities_in(place->fs_userns_fd, &member, &facts->fs_capabilities);
}

bool is_in_fs_userns(const struct subject *s, const struct idm_explain_info *place)
{
	AUTO_CLOSE int ns = -1;

	if (place->fs_userns_fd < 0 || open_subject_userns(s, &ns) < 0)
		return true;
	return ns >= 0 && idm_is_userns_below(ns, place->fs_userns_fd) != 0;
}

int add_subject(const struct subject *s, const struct idm_explain_info *place,
		struct idm_explain_options *facts, uint32_t *unseen, struct idm_error *err)
{
	int r;

	*unseen = place->unseen;
	if (!s->user)
		return 0;
	if (s->userns_pid)
		facts->userns_map = s->userns_map;
	else if (!facts->userns_map && s->pid && place->unseen & IDM_UNSEEN_PROCESS_IDS)
		return idm_fail(err, -EPERM, IDM_STEP_EXPLAIN, NULL,
				"the map of the user namespace of process %d is not visible",
				(int)s->pid);
	facts->groups = s->groups;
	facts->n_groups = s->n_groups;
	facts->capabilities = user_capabilities(s, place, s->uid);
	/* The library has not tried this namespace. */
	if (s->userns_pid && facts->userns_map && !facts->fs_map && !idm_is_on_block_device(place->fd))
		*unseen |= IDM_UNSEEN_FS_USERNS;
	r = convert_user(s, facts, err);
	if (r == 0 && find_fs_capabilities(s, place, facts) < 0)
		*unseen |= IDM_UNSEEN_FS_USERNS;
	return r;
}
