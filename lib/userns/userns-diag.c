// SPDX-License-Identifier: MIT
#include "userns-diag.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/idmap/nss.h"
#include "lib/idmap/own-mappings.h"
#include "lib/idmap/subid-diag.h"
#include "lib/idmap/subid-lack.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_make = IDM_STEP_MAKE_USERNS;

static const char *name_of_kind(unsigned int kind)
{
	return kind == IDM_UID ? "uid" : "gid";
}

static int diagnose_userns_eperm(struct idm_error *err)
{
	bool root = idm_has_capability(CAP_SYS_ADMIN);

	if (!root && idm_read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
		idm_fail(err, -EPERM, step_make, NULL, "unprivileged user namespaces are disabled");
		idm_hint(err, "sysctl kernel.unprivileged_userns_clone=1, or run as root");
	} else if (!root &&
		   idm_read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") > 0) {
		idm_fail(err, -EPERM, step_make, NULL,
			 "AppArmor denies user namespaces to unconfined programs");
		idm_hint(err, "give the program an AppArmor profile with \"userns,\", or run as root");
	} else {
		idm_fail(err, -EPERM, step_make, NULL, "the kernel does not permit it");
		idm_hint(err, "causes are a chroot, a container's seccomp filter, and a user or group "
			      "without an ID in the current user namespace");
	}
	return -EPERM;
}

static bool has_user_namespaces(void)
{
	struct stat st;

	return idm_sys_fstatat(AT_FDCWD, "/proc/self/ns/user", &st, 0) == 0;
}

int idm_diagnose_no_userns(int code, struct idm_error *err)
{
	if (!err)
		return code;
	switch (code) {
	case -EPERM:
		return diagnose_userns_eperm(err);
	case -ENOSPC:
	case -EUSERS: /* the same before Linux 4.9 */
		idm_fail(err, code, step_make, NULL,
			 "the limit on user namespaces is reached, or they are nested 32 deep");
		idm_hint(err, "user.max_user_namespaces is %ld, for each user and at each level",
			 idm_read_number("/proc/sys/user/max_user_namespaces"));
		return code;
	case -EAGAIN:
		idm_fail(err, code, step_make, NULL, "the limit on processes is reached");
		idm_hint(err, "see RLIMIT_NPROC (ulimit -u), kernel.pid_max and the cgroup's pids.max");
		return code;
	case -EINVAL:
		if (has_user_namespaces()) {
			idm_fail(err, code, step_make, NULL,
				 "the kernel refuses a child that shares the caller's memory");
			idm_hint(err, "Linux 6.1 and older refuse it after unshare(CLONE_NEWTIME)");
			return code;
		}
		__attribute__((fallthrough));
	case -ENOSYS:
		idm_fail(err, code, step_make, NULL,
			 "user namespaces are not supported by this kernel, or are hidden");
		idm_hint(err, "user namespaces require CONFIG_USER_NS and Linux 5.2");
		return code;
	default:
		return idm_fail_errno(err, code, step_make, NULL);
	}
}

int idm_diagnose_map_refused(const struct idm_map *map, unsigned int kind, int code,
			     struct idm_error *err)
{
	enum idm_error_step step = kind == IDM_UID ? IDM_STEP_WRITE_UID_MAP : IDM_STEP_WRITE_GID_MAP;
	int capability = kind == IDM_UID ? CAP_SETUID : CAP_SETGID;
	uint32_t disk, lacking;

	if (!err)
		return code;
	if (code != -EPERM)
		return idm_fail_errno(err, code, step, NULL);

	if (!idm_has_capability(capability)) {
		idm_fail(err, code, step, NULL, "it requires %s in this user namespace",
			 kind == IDM_UID ? "CAP_SETUID" : "CAP_SETGID");
		if (idm_in_initial_userns())
			idm_hint_privilege(err);
		else
			idm_hint(err,
				 "without that capability only the caller's own ID can be seen, and "
				 "one ID only");
	} else if (kind == IDM_UID && idm_map_to_disk(map, kind, 0, &disk) == 0 &&
		   !idm_has_capability(CAP_SETFCAP)) {
		idm_fail(err, code, step, NULL,
			 "ID 0 in the seen column requires CAP_SETFCAP (Linux 5.12)");
	} else if (!idm_in_initial_userns() && idm_find_lacking_id(map, kind, &lacking)) {
		idm_fail(err, code, step, NULL,
			 "seen %s %u of the map is not an ID of this user namespace", name_of_kind(kind),
			 lacking);
		idm_hint(err, "/proc/self/%s lists those that exist",
			 kind == IDM_UID ? "uid_map" : "gid_map");
	} else {
		idm_fail_errno(err, code, step, NULL);
	}
	return code;
}

/* ---- IDs that are not the caller's ---- */

/* Without a range of one kind the library has no ranges of the other kind either. The file has them. */
static bool lacks_id_outside(const struct idm_map *map, unsigned int kind, const char *owner,
			     uint32_t *other)
{
	uint32_t own = kind == IDM_UID ? geteuid() : getegid();

	return idm_find_other_id(map, kind, owner, own, other) && !idm_subid_grants(kind, *other, owner);
}

static int fail_other_id(unsigned int kind, uint32_t id, const char *owner, struct idm_error *err)
{
	return idm_fail(err, -EPERM, kind == IDM_UID ? IDM_STEP_WRITE_UID_MAP : IDM_STEP_WRITE_GID_MAP,
			NULL, "%s %u is not an ID of %s", name_of_kind(kind), id, owner);
}

int idm_diagnose_other_id(const struct idm_map *map, struct idm_error *err)
{
	struct idm_ids ids = { 0 };
	unsigned int kinds = 0;
	char owner[256];
	bool named = idm_nss_find_caller(owner, sizeof(owner)) == 0;

	if (!named)
		snprintf(owner, sizeof(owner), "user %u", getuid());
	kinds |= lacks_id_outside(map, IDM_UID, owner, &ids.uid) ? IDM_UID : 0;
	kinds |= lacks_id_outside(map, IDM_GID, owner, &ids.gid) ? IDM_GID : 0;
	if (!kinds)
		return 0;
	if (kinds & IDM_UID)
		fail_other_id(IDM_UID, ids.uid, owner, err);
	else
		fail_other_id(IDM_GID, ids.gid, owner, err);
	if (named)
		idm_hint_grant(kinds, ids, owner, err);
	else
		idm_hint(err,
			 "the user has no name, by which newuidmap(1) finds a range in /etc/subuid");
	return -EPERM;
}

/* As the host counts, unless user namespaces are nested. Then 0 is a namespace's root. */
static uint32_t find_host_id(unsigned int kind, uint32_t id)
{
	uint32_t host;

	return idm_find_outer_id(kind, id, &host) < 0 ? 0 : host;
}

/* An ID 0 on disk is the namespace's in the eyes of a user: ls(1) prints it for the user's own files. */
static void hint_host_root(unsigned int kind, struct idm_error *err)
{
	uint32_t host = find_host_id(kind, 0);

	if (host)
		idm_hint(err, "disk IDs count on the host: %s 0 of this user namespace is %u there",
			 name_of_kind(kind), host);
}

static void hint_host_id(unsigned int kinds, uint32_t id, struct idm_error *err)
{
	uint32_t uid = find_host_id(IDM_UID, getuid());
	char owner[256];

	if (!uid || idm_nss_find_name(uid, owner, sizeof(owner)) < 0)
		return;
	if (kinds == IDM_BOTH && idm_subid_grants(IDM_GID, id, owner))
		kinds = IDM_UID;
	idm_hint_grant(kinds, (struct idm_ids){ id, id }, owner, err);
}

void idm_hint_disk_id(unsigned int kinds, uint32_t id, struct idm_error *err)
{
	if (err && id)
		hint_host_id(kinds, id, err);
	else if (err)
		hint_host_root(kinds & IDM_UID ? IDM_UID : IDM_GID, err);
}
