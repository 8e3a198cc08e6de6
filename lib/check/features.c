// SPDX-License-Identifier: MIT
/*
 * Finds the features of the running kernel for this caller by trying them. Version numbers show neither
 * backports of a distribution nor the refusals of a seccomp filter. Where a refusal shows enough, the
 * call has arguments that no kernel accepts. Otherwise it acts on detached mounts, which no other
 * process can see.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>

#include "lib/base/cancel.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/list/mount-query.h"
#include "lib/mount/service-client.h"
#include "lib/sys/capability.h"
#include "lib/sys/probe.h"
#include "lib/sys/syscall.h"
#include "lib/userns/userns-probe.h"

/* No process has this descriptor. */
#define NO_FD 0x7fffffff

/* What the probes share. Each is a descriptor, or the -errno of its creation. No probe changes it. */
struct shared {
	int userns; /* for a map */
	int tmpfs;  /* a detached mount */
	int mapped; /* another one, ID-mapped */
};

/* The call exists if it fails with `refusal`. */
static int expect_refusal(int refusal, int r)
{
	return r == refusal ? 0 : r >= 0 ? -EOPNOTSUPP : r;
}

/* ---- processes and files ---- */

static int try_clone3(const struct shared *shared)
{
	(void)shared;
	return expect_refusal(-EINVAL, (int)idm_sys_clone3(NULL, 0));
}

static int try_pidfd(const struct shared *shared)
{
	siginfo_t info;
	int r = expect_refusal(-EBADF, idm_sys_pidfd_send_signal(NO_FD, 0));

	(void)shared;
	return r < 0 ? r : expect_refusal(-EBADF, idm_sys_waitid_pidfd(NO_FD, &info, WEXITED | WNOHANG));
}

static int try_openat2_call(const struct shared *shared)
{
	AUTO_CLOSE int fd = idm_sys_openat2(AT_FDCWD, "/", O_PATH, 0, RESOLVE_NO_MAGICLINKS);

	(void)shared;
	return fd < 0 ? fd : 0;
}

static int try_userns(const struct shared *shared)
{
	return shared->userns < 0 ? shared->userns : 0;
}

/* ---- mounts ---- */

/* A security module may refuse what the kernel can: Landlock refuses to attach any mount. */
static int try_attach(const struct shared *shared)
{
	return shared->tmpfs < 0 ? shared->tmpfs : idm_probe_attach(shared->tmpfs);
}

static int try_mount_api(const struct shared *shared)
{
	int r = shared->tmpfs;

	if (r >= 0)
		r = expect_refusal(-EINVAL, idm_sys_open_tree(-1, "", ~0U));
	if (r >= 0)
		r = expect_refusal(-EINVAL, idm_sys_move_mount(-1, "", -1, "", ~0U));
	return r < 0 ? r : try_attach(shared);
}

static int try_tmpfs_idmap(const struct shared *shared)
{
	return shared->mapped < 0 ? shared->mapped : 0;
}

static int try_idmapped_mounts(const struct shared *shared)
{
	int r = try_tmpfs_idmap(shared);

	/*
	 * Before Linux 6.3, EINVAL means that tmpfs does not support it. The kernel checks the
	 * filesystem after the user namespace and the caller's privilege, so it can map other
	 * filesystems. Without CONFIG_USER_NS the same errno is that of the user namespace.
	 */
	return r == -EINVAL && shared->userns >= 0 ? 0 : r;
}

static int try_nosymfollow(const struct shared *shared)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSYMFOLLOW };

	(void)shared;
	/* The kernel checks the attributes before the descriptor. */
	return expect_refusal(-EBADF, idm_sys_mount_setattr(NO_FD, "", AT_EMPTY_PATH, &attr));
}

static int try_move_mount_beneath(const struct shared *shared)
{
	/* The kernel checks the flags before the descriptors. */
	int r = expect_refusal(-EBADF, idm_sys_move_mount_fd(NO_FD, NO_FD, MOVE_MOUNT_BENEATH));

	return r < 0 ? r : try_attach(shared);
}

static int try_open_tree_attr(const struct shared *shared)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)shared->userns };
	AUTO_CLOSE int tree = -1;
	int r = expect_refusal(-EINVAL, idm_sys_open_tree_attr(-1, "", ~0U, &attr));

	if (r < 0)
		return r;
	if (shared->tmpfs < 0 || shared->userns < 0)
		return shared->tmpfs < 0 ? shared->tmpfs : shared->userns;
	tree = idm_sys_open_tree_attr(shared->tmpfs, "", OPEN_TREE_CLONE | AT_EMPTY_PATH, &attr);
	return tree < 0 ? tree : 0;
}

/* ---- listing ---- */

static int statmount_root(uint64_t what, struct idm_statmount *m)
{
	struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0, .param = what };
	bool unique;
	int r = idm_mount_id(AT_FDCWD, "/", &req.mnt_id, &unique);

	/* A kernel that returns the short ID does not have this system call either. */
	return r < 0 ? r : idm_sys_statmount(&req, m, sizeof(*m));
}

static int try_statmount(const struct shared *shared)
{
	struct idm_mnt_id_req req = {
		.size = IDM_MNT_ID_REQ_SIZE_VER0,
		.mnt_id = IDM_LSMT_ROOT,
	};
	struct idm_statmount m;
	uint64_t id;
	ssize_t n = idm_sys_listmount(&req, &id, 1);

	(void)shared;
	return n < 0 ? (int)n : statmount_root(IDM_STATMOUNT_MNT_BASIC, &m);
}

static int try_mount_ns_ids(const struct shared *shared)
{
	AUTO_CLOSE int ns = idm_sys_openat(AT_FDCWD, "/proc/thread-self/ns/mnt", O_RDONLY, 0);
	struct idm_mnt_ns_info info;

	(void)shared;
	return ns < 0 ? ns : idm_sys_ioctl(ns, IDM_NS_MNT_GET_INFO, &info);
}

static int try_statmount_idmap(const struct shared *shared)
{
	struct idm_statmount m = { 0 };
	int r = statmount_root(IDM_STATMOUNT_SUPPORTED_MASK, &m);

	(void)shared;
	if (r < 0)
		return r;
	return m.mask & IDM_STATMOUNT_SUPPORTED_MASK && m.supported_mask & IDM_STATMOUNT_MNT_UIDMAP
		       ? 0
		       : -EOPNOTSUPP;
}

/* ---- overlay: contexts only, nothing is mounted ---- */

/* Writes the path of a descriptor, or of a name below it. */
static void make_file_path(char path[64], int fd, const char *below)
{
	snprintf(path, 64, "/proc/thread-self/fd/%d%s", fd, below);
}

/*
 * Since Linux 6.5, overlay checks each option when it is set, and rejects an unknown one. Before that it
 * accepts every option, and checks all on creation.
 */
static bool looks_at_options(void)
{
	AUTO_CLOSE int fs = idm_sys_fsopen("overlay", 0);

	return idm_sys_fsconfig(fs, FSCONFIG_SET_FLAG, "no_such_option", NULL, 0) == -EINVAL;
}

struct search {
	int userns;
	int layer;
};

static bool try_as_layer(int mount_fd, const char *path, void *data)
{
	struct search *s = data;
	struct stat st;

	(void)path;
	if (idm_sys_fstatat(mount_fd, "", &st, AT_EMPTY_PATH) < 0 || !S_ISDIR(st.st_mode))
		return false;
	s->layer = idm_probe_clone(mount_fd, s->userns, 0);
	return s->layer >= 0;
}

/* Before Linux 6.3, tmpfs cannot be mapped. Copies the first mount that can. */
static int clone_any_mapped(int userns)
{
	AUTO_CLOSE int root = idm_sys_openat(AT_FDCWD, "/", O_PATH, 0);
	struct search s = { .userns = userns, .layer = -EINVAL };

	if (root < 0)
		return root;
	if (!try_as_layer(root, "/", &s))
		idm_query_mounts_below(root, try_as_layer, &s);
	return s.layer;
}

static int try_overlay_idmapped_layers(const struct shared *shared)
{
	AUTO_CLOSE int fs = idm_sys_fsopen("overlay", 0), copy = -1;
	char first[64], second[64], both[128];
	int layer = shared->mapped;

	if (fs < 0)
		return fs;
	if (layer == -EINVAL && shared->userns >= 0) {
		copy = clone_any_mapped(shared->userns);
		layer = copy;
	}
	if (layer < 0)
		return layer;
	make_file_path(first, layer, "");
	if (looks_at_options())
		return idm_sys_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", first, 0);
	/*
	 * A detached mount cannot be a layer there. But the first layer is mapped, and the second does
	 * not exist: a kernel that accepts the first complains about the second.
	 */
	if (access(first, F_OK) < 0) /* without /proc the result means nothing */
		return -EOPNOTSUPP;
	make_file_path(second, layer, "/none");
	snprintf(both, sizeof(both), "%s:%s", first, second);
	idm_sys_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", both, 0);
	return expect_refusal(-ENOENT, idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

static int try_overlay_lowerdir_append(const struct shared *shared)
{
	AUTO_CLOSE int fs = idm_sys_fsopen("overlay", 0);
	char path[64];

	if (fs < 0 || shared->tmpfs < 0)
		return fs < 0 ? fs : shared->tmpfs;
	make_file_path(path, shared->tmpfs, "");
	return looks_at_options() ? idm_sys_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", path, 0)
				  : -EOPNOTSUPP;
}

/* Two layers: an overlay without an upper directory does not accept one layer alone. */
static int try_overlay_fd_layers(const struct shared *shared)
{
	AUTO_CLOSE int fs = idm_sys_fsopen("overlay", 0), other = -1;
	int r = fs < 0 ? fs : shared->tmpfs;

	if (r >= 0)
		r = other = idm_probe_tmpfs();
	/* Both are O_PATH descriptors of detached mounts. */
	if (r >= 0)
		r = idm_sys_fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, shared->tmpfs);
	if (r >= 0)
		r = idm_sys_fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, other);
	return r < 0 ? r : idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

static int try_overlay_override_creds(const struct shared *shared)
{
	AUTO_CLOSE int fs = idm_sys_fsopen("overlay", 0);

	(void)shared;
	if (fs < 0)
		return fs;
	return looks_at_options() ? idm_sys_fsconfig(fs, FSCONFIG_SET_FLAG, "override_creds", NULL, 0)
				  : -EOPNOTSUPP;
}

/* ---- idmountd ---- */

static int try_service(const struct shared *shared)
{
	(void)shared;
	return idm_service_try();
}

/* ---- the table ---- */

/* `try` returns 0 or -errno. */
static const struct {
	const char *name, *what, *since;
	int (*try)(const struct shared *shared);
} features[] = {
	{ "clone3", "processes are started with a pidfd and without SIGCHLD", "5.3", try_clone3 },
	{ "pidfd", "processes are signalled and waited for by descriptor", "5.4", try_pidfd },
	{ "openat2", "paths are opened without leaving a directory", "5.6", try_openat2_call },
	{ "userns", "the caller can make a user namespace with a map", "3.8", try_userns },
	{ "mount-api", "mounts are made detached and attached last", "5.2", try_mount_api },
	{ "idmapped-mounts", "mounts can be ID-mapped", "5.12", try_idmapped_mounts },
	{ "tmpfs-idmap", "tmpfs can be ID-mapped", "6.3", try_tmpfs_idmap },
	{ "nosymfollow", "mounts can refuse symbolic links", "5.14", try_nosymfollow },
	{ "move-mount-beneath", "a mount can be replaced in one step", "6.5", try_move_mount_beneath },
	{ "statmount", "mounts are listed by system call", "6.8", try_statmount },
	{ "mount-ns-ids", "other mount namespaces can be listed", "6.12", try_mount_ns_ids },
	{ "statmount-idmap", "the map of a mount can be read", "6.15", try_statmount_idmap },
	{ "open-tree-attr", "a mapped source can be mapped anew", "6.15", try_open_tree_attr },
	{ "overlay-idmapped-layers", "overlay accepts ID-mapped layers", "5.19",
	  try_overlay_idmapped_layers },
	{ "overlay-lowerdir-append", "overlay accepts its layers one by one", "6.7",
	  try_overlay_lowerdir_append },
	{ "overlay-fd-layers", "overlay accepts detached layers by descriptor", "6.15",
	  try_overlay_fd_layers },
	{ "overlay-override-creds", "overlay can use other credentials than its creator's", "6.15",
	  try_overlay_override_creds },
	{ "service", "idmountd answers, and maps for ordinary users", "5.12", try_service },
};

static bool lacks_privilege(int result)
{
	return result == -EPERM && !idm_has_capability(CAP_SYS_ADMIN);
}

static bool is_service_absent(int (*try)(const struct shared *shared), int result)
{
	return try == try_service && (result == -ENOENT || result == -ECONNREFUSED);
}

static const char *find_hint(int (*try)(const struct shared *shared), int result, char *hint,
			     size_t size)
{
	char start[256];

	if (lacks_privilege(result))
		return "it requires CAP_SYS_ADMIN; run it as root";
	if (!is_service_absent(try, result))
		return NULL;
	idm_service_print_start(start, sizeof(start));
	snprintf(hint, size, "idmountd is not running; root starts it by %s", start);
	return hint;
}

/* A detached, ID-mapped tmpfs. */
static int mapped_tmpfs(int userns)
{
	AUTO_CLOSE int tmpfs = idm_probe_tmpfs();
	int r = tmpfs;

	if (r >= 0)
		r = userns < 0 ? userns : idm_probe_map(tmpfs, userns);
	return r < 0 ? r : idm_steal_fd(&tmpfs);
}

static int try_features(int (*each)(const struct idm_feature_info *feature, void *data), void *data)
{
	AUTO_CLOSE int userns = idm_probe_userns(NULL), tmpfs = idm_probe_tmpfs(),
		       mapped = mapped_tmpfs(userns);
	const struct shared shared = { .userns = userns, .tmpfs = tmpfs, .mapped = mapped };
	char hint[320];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(features) && r == 0; i++) {
		int result = features[i].try(&shared);
		struct idm_feature_info f = {
			.size = sizeof(f),
			.name = features[i].name,
			.what = features[i].what,
			.since = features[i].since,
			.available = result >= 0,
			.errnum = result < 0 ? -result : 0,
			.hint = find_hint(features[i].try, result, hint, sizeof(hint)),
		};

		r = each(&f, data);
	}
	return r;
}

int idm_features(unsigned int flags, int (*each)(const struct idm_feature_info *feature, void *data),
		 void *data, struct idm_error *err)
{
	HOLD_CANCEL;
	int r = idm_check_flags(flags, 0, IDM_STEP_LIST_FEATURES, NULL, err);

	return r < 0 ? r : try_features(each, data);
}
