/* SPDX-License-Identifier: MIT */
/*
 * libidmount: Linux ID-mapped mounts.
 *
 * The data passes through stages, and each stage can be used by itself:
 *
 *   text, names, subid ──► map ──► userns fd ──► detached tree ──► attached mount ──► listed, unmounted
 *
 *   struct idm_error err;
 *   struct idm_map *map;
 *   int userns, tree;
 *
 *   if (idm_map_new(&map) < 0)
 *           abort();
 *   if (idm_map_parse(map, "0:100000:65536", 0, &err) < 0 ||
 *       (userns = idm_userns_open(map, 0, &err)) < 0 ||
 *       (tree = idm_tree_open(AT_FDCWD, "/srv/image", userns, NULL, &err)) < 0 ||
 *       idm_tree_attach(tree, AT_FDCWD, "/run/box/root", NULL, &err) < 0)
 *           fprintf(stderr, "%s\n", err.message);
 *
 * These conventions hold for every function. The comment of a function states only what differs:
 *
 *  - A function returns 0, a count or a new descriptor on success, and a negative errno on failure.
 *    The variable errno carries no result.
 *  - Kernel objects are plain descriptors, always close-on-exec. The caller owns each descriptor that a
 *    function returns. A descriptor that the caller passes in stays the caller's. The name of such a
 *    parameter ends in fd or fds.
 *  - A comment says so where -1 means no descriptor. Every other negative number fails with -EBADF there.
 *    A failed call's result must not be passed on unchecked: -EPERM is -1, which means none.
 *  - A function that can fail for more than one reason has `err` as its last parameter. A function that can
 *    only lack memory does not have it. Nor has a function that only reads a map and fails with -EINVAL,
 *    -ENOENT or -EOVERFLOW. `err` may be NULL. The library writes it on failure only, and then completely.
 *  - A failed call changes nothing. It leaves no mount, process, descriptor, directory or file, and modifies
 *    no argument. A function that differs says so.
 *  - Any number of threads may call functions on different objects. The library locks an object only where
 *    its comment says so (struct idm_userns_cache, struct idm_reaper).
 *  - The library never prints or exits. It never changes signal dispositions, the working directory, the
 *    umask or the environment. It keeps no descriptor or thread between two calls, except those of caches
 *    and reapers.
 *  - A struct that the library provides and that may grow at its end carries its size. The library sets
 *    that size. An older program does not read the members that a newer library adds. An older library
 *    lacks the members that came after 0.1. So a newer program calls IDM_HAS() before it reads one of them.
 *    The library provides such structs one by one, never as an array.
 *  - These structs carry no size, and never change: idm_path, idm_mount_option, idm_child_fd, idm_entry,
 *    idm_acl_entry, idm_capabilities, idm_hardening_info, idm_exit_info, idm_error and idm_error_range. What
 *    they cannot express becomes a new struct, with a new function or a new member of the options.
 *  - A function that waits accepts milliseconds: -1 waits without limit, 0 does not wait. It fails with
 *    -EINVAL for less than -1. It returns 0 if the event has come, and fails with -ETIMEDOUT if not. So 0
 *    never means that no result is filled in.
 *  - A struct idm_*_options is a request, and IDM_*_OPTIONS_INIT its defaults. The functions idm_*_init() set
 *    the same defaults, for languages without macros. A struct idm_*_info is a result. So is a struct idm_*_result, of which the caller sets the size. A function fails with -EINVAL
 *    for a size below that of 0.1. It fails with -E2BIG if a member that only a newer library knows is not 0.
 *  - A flag's name begins with the function or struct that accepts it. The flags of one object (a tree, a
 *    plan, a reaper, a child) have different bits. A function rejects flags of another function for the same
 *    object, and unknown flags, with -EINVAL. `err` then names these bits in hexadecimal.
 *  - A callback returns 0 to continue. Any other value stops the function, which returns it unchanged. A
 *    program uses positive values: the function's own errors are negative. `progress` differs, see there.
 *    An iterator (struct idm_*_iter) offers the same without a callback. It holds copies of all items.
 *  - The calling thread resolves paths, with its root, working directory and credentials.
 *  - No function is a cancellation point. pthread_cancel(3) takes effect in the caller, after the call.
 *    A callback runs with cancellation disabled. A thread whose cancel type is asynchronous must disable
 *    cancellation itself. Otherwise it loses the descriptor that a call returns. idm_reaper_add() can then
 *    keep the lock of its reaper, and every later call for that reaper waits for ever.
 *  - A function without "Requires:" requires no privilege and no particular kernel. A function without
 *    "Thread safety:" may run in any number of threads at once, on different objects. A function without
 *    "Since:" exists since 0.1.
 */
#ifndef IDMOUNT_H
#define IDMOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Attributes, for compilers that know them: the result must be used, since only the caller can release it;
 * the arguments must not be NULL.
 */
#ifdef __GNUC__
#define IDM_MUST_USE __attribute__((warn_unused_result))
#define IDM_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#else
#define IDM_MUST_USE
#define IDM_NONNULL(...)
#endif

#define IDM_VERSION_MAJOR 0
#define IDM_VERSION_MINOR 1
#define IDM_VERSION_PATCH 0
#define IDM_VERSION "0.1.0"

/* Whether a struct that the library provided has this member: IDM_HAS(mount, fstype). */
#define IDM_HAS(info, member) \
	((const char *)(&(info)->member + 1) <= (const char *)(info) + (info)->size)

/*
 * One member of an initialiser. C and C++20 check its name. Older C++ has no names for members. So an
 * initialiser lists all members in their order.
 */
#if defined(__cplusplus) && __cplusplus < 202002L
#define IDM_INIT_MEMBER(name, value) value
#else
#define IDM_INIT_MEMBER(name, value) .name = value
#endif

/*
 * Returns the version of the library in use. The macros above are the version of the header.
 *
 * Returns: a static string
 */
const char *idm_version(void);

/* ---- errors ---------------------------------------------------------------------------------- */

/*
 * The step of a call that failed: struct idm_error.step. A later version of the library can report a
 * step that this list lacks. The number of a step never changes its meaning.
 *
 * Programs may act on these steps, which all later versions report for the same failures:
 *
 *  - IDM_STEP_EXECUTE: only in this step execve(2) of the caller's own program fails.
 *  - IDM_STEP_SET_CWD: the program's working directory cannot be entered.
 *  - IDM_STEP_WRITE_JOURNAL, IDM_STEP_LOCK_JOURNAL, IDM_STEP_READ_JOURNAL, IDM_STEP_UNDO,
 *    IDM_STEP_REMOVE_JOURNAL: the steps of idm_plan_apply() and idm_plan_undo() with a journal.
 *
 * All others are for messages. A later version can split one of them, or report another one.
 */
enum idm_error_step {
	IDM_STEP_NONE = 0,
	IDM_STEP_ADD_TO_MAP,
	IDM_STEP_KEEP_REST,
	IDM_STEP_PARSE_MAP,
	IDM_STEP_CHECK_MAP,
	IDM_STEP_READ_MAP,
	IDM_STEP_READ_OWN_MAP,
	IDM_STEP_LOOK_UP_SUBIDS,
	IDM_STEP_READ_USERNS,
	IDM_STEP_OPEN_USERNS,
	IDM_STEP_MAKE_USERNS,
	IDM_STEP_WRITE_UID_MAP,
	IDM_STEP_WRITE_GID_MAP,
	IDM_STEP_OPEN_PROCFS,
	IDM_STEP_FIND_CHILD,
	IDM_STEP_OPEN_CHILD_MAPS,
	IDM_STEP_HOLD_CHILD,
	IDM_STEP_REAP_CHILD,
	IDM_STEP_USE_CACHE,
	IDM_STEP_OPEN_TREE,
	IDM_STEP_MAP_TREE,
	IDM_STEP_MAP_ON_TOP,
	IDM_STEP_OPEN_TARGET,
	IDM_STEP_CREATE_TARGET,
	IDM_STEP_ATTACH,
	IDM_STEP_DETACH_OLD_MOUNT,
	IDM_STEP_SET_PROPAGATION,
	IDM_STEP_UNMOUNT,
	IDM_STEP_OPEN_OVERLAY,
	IDM_STEP_OPEN_LAYER,
	IDM_STEP_LOOK_FOR_OVERLAYS,
	IDM_STEP_MAKE_SCRATCH,
	IDM_STEP_ENTER_MOUNT_NAMESPACE,
	IDM_STEP_ATTACH_LAYERS,
	IDM_STEP_BECOME_MAPPED_ROOT,
	IDM_STEP_COPY_OVERLAY,
	IDM_STEP_PLAN_MOUNT,
	IDM_STEP_READ_PLAN,
	IDM_STEP_MAKE_MOUNT,
	IDM_STEP_MAKE_MOUNT_NAMESPACE,
	IDM_STEP_MOUNT_FILESYSTEM,
	IDM_STEP_MAKE_LOOP_DEVICE,
	IDM_STEP_ASSEMBLE_PLAN,
	IDM_STEP_COPY_PLAN_MOUNTS,
	IDM_STEP_WRITE_JOURNAL,
	IDM_STEP_LOCK_JOURNAL,
	IDM_STEP_READ_BOOT_ID,
	IDM_STEP_READ_JOURNAL,
	IDM_STEP_UNDO,
	IDM_STEP_REMOVE_JOURNAL,
	IDM_STEP_LIST_MOUNTS,
	IDM_STEP_READ_MOUNTINFO,
	IDM_STEP_FIND_MOUNT_NAMESPACES,
	IDM_STEP_JOIN_MOUNT_NAMESPACE,
	IDM_STEP_LIST_FEATURES,
	IDM_STEP_CHECK_PATH,
	IDM_STEP_MAKE_FILE,
	IDM_STEP_START_PROGRAM,
	IDM_STEP_READ_SECCOMP_FILTER,
	IDM_STEP_MAKE_MEMORY_FILE,
	IDM_STEP_MAKE_MEMORY_PROGRAM,
	IDM_STEP_EXECUTE_MEMORY_PROGRAM,
	IDM_STEP_PUT_INTO_CGROUP,
	IDM_STEP_PASS_DESCRIPTORS,
	IDM_STEP_SET_PROCESS_GROUP,
	IDM_STEP_JOIN_NAMESPACE,
	IDM_STEP_JOIN_USERNS,
	IDM_STEP_BECOME_USERNS_ROOT,
	IDM_STEP_MAKE_NAMESPACES,
	IDM_STEP_MAKE_PID_NAMESPACE_PROCESS,
	IDM_STEP_SEPARATE_MOUNTS,
	IDM_STEP_ATTACH_ROOT,
	IDM_STEP_PIVOT_ROOT,
	IDM_STEP_MAKE_MOUNT_POINT,
	IDM_STEP_SET_MOUNT_OPTION,
	IDM_STEP_MOUNT,
	IDM_STEP_DETACH_OLD_ROOT,
	IDM_STEP_ASSEMBLE_ROOT,
	IDM_STEP_LOCK_MOUNTS,
	IDM_STEP_LIMIT_USERNS,
	IDM_STEP_MAKE_KEYRING,
	IDM_STEP_SET_SECCOMP_FILTER,
	IDM_STEP_SET_HOSTNAME,
	IDM_STEP_MAKE_SESSION,
	IDM_STEP_SET_TERMINAL,
	IDM_STEP_SET_BOUNDING_SET,
	IDM_STEP_SET_GROUPS,
	IDM_STEP_SET_GID,
	IDM_STEP_SET_UID,
	IDM_STEP_SET_CAPABILITIES,
	IDM_STEP_SET_NO_NEW_PRIVS,
	IDM_STEP_SET_CWD,
	IDM_STEP_START_BELOW_INIT,
	IDM_STEP_EXECUTE_DESCRIPTOR,
	IDM_STEP_EXECUTE,
	IDM_STEP_WAIT_FOR_CHILD,
	IDM_STEP_SIGNAL_CHILD,
	IDM_STEP_MAKE_REAPER,
	IDM_STEP_WATCH_CHILD,
	IDM_STEP_WAIT_FOR_CHILDREN,
	IDM_STEP_ADOPT_ORPHANS,
	IDM_STEP_FIND_ORPHANS,
	IDM_STEP_START_FORKSERVER,
	IDM_STEP_OPEN_STAGING,
	IDM_STEP_JOIN_STAGING,
	IDM_STEP_ASK_SERVICE,
	IDM_STEP_EXPLAIN,
	IDM_STEP_LOOK_UP_PATH,
};

/*
 * Returns the text of a step, as in the message: "open tree" for IDM_STEP_OPEN_TREE.
 *
 * @step: the step, known or unknown
 *
 * Returns: a static string, which is empty for a step that the library does not know
 */
const char *idm_error_step_text(enum idm_error_step step);

/* A part of the message: `length` bytes from `start` on; 0 bytes if the message lacks the part. */
struct idm_error_range {
	uint16_t start;
	uint16_t length;
};

/*
 * The description of a failure. The caller owns it. It holds no pointer, and needs no initialisation and
 * no release. Both strings are complete and NUL-terminated, and may be empty. The message is
 * "subject: step: reason (kernel: words)" on one line, without the parts that are unknown. A subject that
 * does not fit ends in "...". The reason is whole up to 511 bytes, the kernel's words up to 159. The
 * layout is fixed for the life of the library's soname.
 */
struct idm_error {
	int errnum;                     /* the positive errno; the failing function returned its negative */
	enum idm_error_step step;       /* the step that failed */
	struct idm_error_range subject; /* the path or map entry concerned */
	struct idm_error_range reason;  /* why it failed */
	struct idm_error_range kernel;  /* the kernel's own words, where it offers any (fs context log) */
	char message[864];              /* all but the hint on one line */
	char hint[440];                 /* a remedy, in plain English */
};

/*
 * Copies a part of the message to a buffer, as snprintf(3) does.
 *
 * @err: the error
 * @part: the part, such as err->reason
 * @buf: receives at most `size` bytes with the final NUL; may be NULL if `size` is 0
 * @size: in bytes; 0 writes nothing
 *
 * Returns: the length of the part in bytes, without the NUL
 */
IDM_NONNULL(1)
size_t idm_error_part(const struct idm_error *err, struct idm_error_range part, char *buf, size_t size);

/* ---- maps ------------------------------------------------------------------------------------ */

/*
 * A map: each ID stored in the filesystem (disk) appears as another ID through the mount (seen).
 *
 * A map has a uid side and a gid side. Each side has a canonical form: sorted by disk ID, neighbours
 * merged, no overlap in either column. A disk ID that no entry names is not mapped. Its files appear as
 * owned by the overflow ID (65534), and it cannot own new files. IDs are 0 to 4294967294; 4294967295 is
 * not an ID.
 *
 * Maps are pure data. Many threads may read one map at once. No thread may read a map while another thread
 * changes it. A function that fails leaves the map as it was.
 */
struct idm_map;

#define IDM_UID 0x1U /* the uid side */
#define IDM_GID 0x2U /* the gid side */
#define IDM_BOTH (IDM_UID | IDM_GID)

/* `count` consecutive IDs: disk, disk+1, ... appear as seen, seen+1, ... */
struct idm_entry {
	uint32_t disk;
	uint32_t seen;
	uint32_t count;
};

/*
 * Creates an empty map.
 *
 * @map: receives the map; the caller releases it with idm_map_free()
 *
 * Returns: 0
 * Errors:
 *   -ENOMEM: out of memory
 */
IDM_MUST_USE IDM_NONNULL(1)
int idm_map_new(struct idm_map **map);

/*
 * Releases a map. Cannot fail.
 *
 * @map: may be NULL
 */
void idm_map_free(struct idm_map *map);

/*
 * Copies a map.
 *
 * @map: the map to copy
 * @copy: receives the copy; the caller releases it with idm_map_free()
 *
 * Returns: 0
 * Errors:
 *   -ENOMEM: out of memory
 */
IDM_MUST_USE IDM_NONNULL(1, 2)
int idm_map_copy(const struct idm_map *map, struct idm_map **copy);

/*
 * Adds entries to one side or to both.
 *
 * @map: the map to add to
 * @kinds: the sides: IDM_UID, IDM_GID or IDM_BOTH
 * @entries: `n` entries
 * @n: their number
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: a count is 0, or a range extends past 4294967294
 *   -EINVAL: two entries overlap in the disk or the seen column; the map may have held one of them before;
 *            err names the two
 *   -EINVAL: `kinds` is 0 or unknown, or `entries` is NULL and `n` is not 0
 *   -ENOMEM: out of memory
 */
IDM_NONNULL(1)
int idm_map_add(struct idm_map *map, unsigned int kinds, const struct idm_entry *entries, size_t n,
		struct idm_error *err);

/*
 * Allows idm_map_parse() to ask the system. The name service looks up user and group names, libsubid "auto".
 * "/path" opens a user namespace file. Without this flag text holds numbers only. A daemon that does not
 * trust its text omits the flag.
 */
#define IDM_MAP_PARSE_LOOKUP 0x100U

/*
 * Parses text and adds its entries. The form of the text determines its dialect; see idm_map(3):
 *
 *   [KIND:]DISK:SEEN[:COUNT]       KIND u, uid, g, gid, b, both (the default); COUNT 1 by default
 *   uidmap=C:H:S,... gidmap=...    containerd's mount options
 *   uids=C-H-S#...;gids=...        crun's idmap option
 *   [KIND:]NAME:NAME               with IDM_MAP_PARSE_LOOKUP, as the two below
 *   auto[:USER]                    the subordinate ranges of USER (default: the caller)
 *   /PATH                          the map of a user namespace file
 *
 * @map: the map to add to
 * @text: the text
 * @flags: 0 or IDM_MAP_PARSE_LOOKUP
 * @err: may be NULL; names the entry
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: malformed text, an unknown flag, or an entry that idm_map_add() rejects
 *   -EINVAL: a lookup without IDM_MAP_PARSE_LOOKUP
 *   -ENOENT: no such user or group, or no range for it
 *   -EOPNOTSUPP: "auto" without libsubid, see idm_map_add_subid()
 *   -ENOMEM: out of memory
 *   for a name: also the errors of getpwnam_r(3); for "auto" those of idm_map_add_subid()
 *   for a path: also the errors of open(2) and idm_map_add_userns()
 * Requires: for a path what idm_map_add_userns() requires
 */
IDM_NONNULL(1, 2)
int idm_map_parse(struct idm_map *map, const char *text, unsigned int flags, struct idm_error *err);

/*
 * Parses the lines of /proc/PID/uid_map or gid_map ("DISK SEEN COUNT") as the kernel does.
 *
 * @map: the map to add to
 * @kind: the side: IDM_UID or IDM_GID
 * @text: the lines
 * @err: may be NULL; names the entry
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: malformed text, an unknown kind, or an entry that idm_map_add() rejects
 *   -EINVAL: a number over 32 bits, which the kernel cuts off silently
 *   -ENOMEM: out of memory
 */
IDM_NONNULL(1, 3)
int idm_map_parse_kernel(struct idm_map *map, unsigned int kind, const char *text,
			 struct idm_error *err);

/*
 * Adds the subordinate ranges of a user, through libsubid. Disk IDs from 0 on appear as these ranges, of
 * /etc/subuid (uid side) and /etc/subgid (gid side). If nsswitch names another source for "subid", libsubid
 * asks that one.
 *
 * @map: the map to add to
 * @owner: the user's name
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -ENOENT: the user has no range
 *   -EOPNOTSUPP: the library was built without libsubid, or libsubid is not installed
 *   -EINVAL: a range extends past 4294967294 or overlaps with the map, or a file is not a regular one
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ENOMEM: out of memory
 * Thread safety: a lock serialises the calls, because libsubid is not thread-safe
 */
IDM_NONNULL(1, 2)
int idm_map_add_subid(struct idm_map *map, const char *owner, struct idm_error *err);

/*
 * Adds the map of a user namespace, as seen from the caller's user namespace. The map of the caller's own
 * namespace is added as seen from its parent. A namespace without a map adds nothing.
 *
 * @map: the map to add to
 * @userns_fd: the user namespace, which a short-lived child joins before Linux 7.0
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EPERM: CAP_SYS_ADMIN in that namespace is missing
 *   -EBADF: `userns_fd` is not open
 *   -EINVAL: `userns_fd` is not a user namespace, or an entry that idm_map_add_pid() rejects
 *   otherwise: as idm_userns_open()
 * Requires: CAP_SYS_ADMIN in that namespace; Linux 5.12
 */
IDM_NONNULL(1)
int idm_map_add_userns(struct idm_map *map, int userns_fd, struct idm_error *err);

/*
 * Adds the map of the user namespace of a process, as seen from the caller's user namespace. The map of the
 * caller's own namespace is added as seen from its parent.
 *
 * @map: the map to add to
 * @pid: the process
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -ESRCH: the process does not exist, or has exited
 *   -EINVAL: `pid` is not positive, or an entry overlaps with the map
 *   -EINVAL: an entry begins with an ID that is not visible from the caller's user namespace
 *   -EACCES: a security module closes the process's files in /proc
 *   -EXDEV: another mount covers a part of the process's /proc directory
 *   -ENOENT, -EMFILE, -ENFILE, -ENOMEM: as idm_userns_open()
 * Requires: no privilege; Linux 5.12
 */
IDM_NONNULL(1)
int idm_map_add_pid(struct idm_map *map, pid_t pid, struct idm_error *err);

/*
 * Adds the map of a mount.
 *
 * @map: the map to add to
 * @fd: a file on the mount; may be O_PATH
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -ENODATA: the mount is not ID-mapped
 *   -EOPNOTSUPP: the kernel does not report the map (before Linux 6.15)
 *   -EOPNOTSUPP: the caller's user namespace does not have all IDs of the map
 *   -ENOENT: the mount is detached (before Linux 7.0), or in a mount namespace where idm_list_path() does
 *     not look
 *   -EINVAL: the mount's map overlaps with the map
 *   -EBADF: `fd` is not open
 *   -ENOMEM: out of memory
 *   otherwise: as idm_list_path()
 * Requires: no privilege, for a detached mount CAP_SYS_ADMIN; Linux 6.15
 */
IDM_NONNULL(1)
int idm_map_add_mount(struct idm_map *map, int fd, struct idm_error *err);

/*
 * Adds identity entries for all IDs of the caller's user namespace that neither column names. A disk ID
 * stays unmapped if its number is in use in the seen column: two owners cannot share one ID. In the
 * initial user namespace an empty side becomes the identity 0:0:4294967295. Where no procfs shows the
 * caller's IDs, the function uses all IDs.
 *
 * @map: the map to add to
 * @kinds: the sides: IDM_UID, IDM_GID or IDM_BOTH
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: `kinds` is 0 or unknown
 *   -ENOMEM: out of memory
 */
IDM_NONNULL(1)
int idm_map_keep_rest(struct idm_map *map, unsigned int kinds, struct idm_error *err);

/*
 * Adds identity entries as idm_map_keep_rest() does, for the IDs in the disk column of another map. Makes
 * no system call.
 *
 * @map: the map to add to
 * @kinds: the sides: IDM_UID, IDM_GID or IDM_BOTH
 * @within: the other map; the map of a container has the container's IDs in its disk column
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: `kinds` is 0 or unknown
 *   -ENOMEM: out of memory
 */
IDM_NONNULL(1, 3)
int idm_map_keep_rest_within(struct idm_map *map, unsigned int kinds, const struct idm_map *within,
			     struct idm_error *err);

/*
 * Exchanges disk and seen. The result undoes the map. Cannot fail.
 *
 * @map: the map to change
 */
IDM_NONNULL(1)
void idm_map_invert(struct idm_map *map);

/*
 * Composes two maps: each ID passes through `map` first and `then` second. The result omits the IDs that
 * either map omits. It is the map of a mount with `then` of a mount with `map`.
 *
 * @map: the first map; receives the result
 * @then: the second map
 *
 * Returns: 0
 * Errors:
 *   -ENOMEM: out of memory
 */
IDM_NONNULL(1, 2)
int idm_map_compose(struct idm_map *map, const struct idm_map *then);

/*
 * Translate one ID. The cost is logarithmic for a disk ID, linear for a seen ID.
 *
 * @map: the map
 * @kind: the side: IDM_UID or IDM_GID
 * @disk, @seen: the ID to translate
 * @to: receives the other ID
 *
 * Returns: 0
 * Errors:
 *   -ENOENT: the map omits the ID
 *   -EINVAL: another kind
 */
IDM_NONNULL(1, 4)
int idm_map_to_seen(const struct idm_map *map, unsigned int kind, uint32_t disk, uint32_t *to);
IDM_NONNULL(1, 4)
int idm_map_to_disk(const struct idm_map *map, unsigned int kind, uint32_t seen, uint32_t *to);

/*
 * Compares two maps on both sides. Order and spelling of their sources do not matter.
 *
 * @a, @b: the maps
 *
 * Returns: true if the maps are equal
 */
IDM_NONNULL(1, 2)
bool idm_map_equal(const struct idm_map *a, const struct idm_map *b);

/*
 * Returns the canonical entries of one side.
 *
 * @map: the map
 * @kind: the side: IDM_UID or IDM_GID
 * @entries: receives the entries, borrowed until the map is changed or freed
 *
 * Returns: their number; 0 also for an unknown kind
 */
IDM_NONNULL(1, 3)
size_t idm_map_entries(const struct idm_map *map, unsigned int kind,
		       const struct idm_entry **entries);

/*
 * Checks whether the kernel accepts the map for a mount. idm_userns_open() calls this function.
 *
 * @map: the map
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: a side is empty; the kernel itself rejects that since Linux 6.9
 *   -E2BIG: over 340 entries or 4095 bytes of text on one side; err says how many too many
 */
IDM_NONNULL(1)
int idm_map_check(const struct idm_map *map, struct idm_error *err);

enum idm_format {
	IDM_FORMAT_TEXT = 0,   /* u:0:100000:65536,g:0:100000:65536; 0:100000:65536 if the sides agree */
	IDM_FORMAT_KERNEL,     /* lines of uid_map or gid_map: one side only */
	IDM_FORMAT_CONTAINERD, /* uidmap=0:100000:65536 and, on a line of its own, gidmap=... */
	IDM_FORMAT_UTIL_LINUX, /* u:0:100000:65536 g:0:100000:65536; b: if the sides agree */
	IDM_FORMAT_CRUN,       /* uids=0-100000-65536;gids=0-100000-65536 */
	IDM_FORMAT_OCI         /* {"uidMappings":[{"containerID":0,...}],"gidMappings":[...]} */
};

/*
 * Prints a map, as snprintf(3) does. Parsing the text returns the same map, except for IDM_FORMAT_OCI and
 * for an empty map.
 *
 * @map: the map
 * @format: IDM_FORMAT_*
 * @kinds: the sides: IDM_UID, IDM_GID or IDM_BOTH
 * @buf: receives at most `size` bytes with the final NUL; may be NULL if `size` is 0
 * @size: in bytes; 0 only asks for the length
 *
 * Returns: the length of the whole text in bytes, without the NUL
 * Errors:
 *   -EINVAL: unknown format or kinds, both sides as IDM_FORMAT_KERNEL, or a size without a buffer
 *   -EOVERFLOW: the text is over 2 GiB
 */
IDM_NONNULL(1)
ssize_t idm_map_print(const struct idm_map *map, enum idm_format format, unsigned int kinds, char *buf,
		      size_t size);

/* ---- user namespaces ------------------------------------------------------------------------- */

/*
 * How the library creates the namespace: at most one of these flags. Without a flag it uses the zombie
 * child. It uses the live child where the kernel does not let the caller write a zombie's map. Such a kernel
 * is older than Linux 7.2, and such a caller lacks CAP_DAC_OVERRIDE in the initial user namespace. It uses a
 * child with memory of its own for a caller that is not dumpable (PR_GET_DUMPABLE in prctl(2)). It does so,
 * too, where the kernel refuses a child that shares memory.
 */
#define IDM_USERNS_ZOMBIE 0x1U /* only: a child that has exited before its map is written */
#define IDM_USERNS_LIVE 0x2U   /* only: a child that waits until it is killed by its pidfd */
#define IDM_USERNS_OWN_MEMORY 0x4U /* only: a child with memory of its own, and dumpable */

/*
 * Opens a user namespace that carries a map, for idm_tree_open() or mount_setattr(2).
 *
 * A short-lived child of the library creates the namespace. The caller's waits and signal settings do not
 * affect that child. No recycled PID can be mistaken for it: see idm_userns_open(3). All signals of the
 * calling thread are blocked for the length of one clone3(2).
 *
 * @map: the map
 * @flags: 0 or one of IDM_USERNS_*
 * @err: may be NULL
 *
 * Returns: a descriptor, which the caller closes
 * Errors:
 *   -EINVAL: a side of the map is empty; unknown flags, or more than one
 *   -EINVAL: IDM_USERNS_ZOMBIE or IDM_USERNS_LIVE, and the kernel refuses a child that shares memory
 *   -E2BIG: the map is too large, see idm_map_check(), also after the cut at the caller's own map
 *   -EPERM: a privilege is missing; err says which
 *   -EPERM: the caller is not dumpable, and has sealed memory that is read-only (mseal(2))
 *   -EACCES: IDM_USERNS_ZOMBIE or IDM_USERNS_LIVE where another way is needed
 *   -EACCES: a security module closes the child's files in /proc
 *   -ENOSPC: user.max_user_namespaces, or 32 levels
 *   -EAGAIN: RLIMIT_NPROC, kernel.pid_max or the cgroup's pids.max
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ESRCH: other waits (with __WALL) reaped the child, 16 times in a row
 *   -EBUSY: the calling thread unshared a PID namespace that has no init; the child would become its init
 *   -ENOENT: /proc is not a procfs that shows the caller, and the caller may not create one
 *   -EXDEV: another mount covers a part of the child's /proc directory
 *   -EINVAL, -ENOSYS: the kernel has no user namespaces, or hides them
 *   -ENOSYS: a seccomp filter refuses waitid(2), whatever errno it has for that
 *   -EOPNOTSUPP: IDM_USERNS_OWN_MEMORY on an architecture other than x86, ARM, ppc64el, riscv64 and s390x
 *   -ENOMEM: out of memory
 * Requires: in the caller's user namespace CAP_SETUID and CAP_SETGID, and CAP_SETFCAP if ID 0 is in the seen
 *   column; nothing for a map of exactly the caller's own uid and gid, one ID each; Linux 5.12
 * Thread safety: safe
 */
IDM_MUST_USE IDM_NONNULL(1)
int idm_userns_open(const struct idm_map *map, unsigned int flags, struct idm_error *err);

/*
 * A cache of such descriptors. Its key is the content of a map. All functions but idm_userns_cache_free()
 * may run in any number of threads at once. Several threads that miss for the same map create one
 * namespace. Seen IDs belong to the namespace where the descriptor was created. So a caller that enters
 * another user namespace needs another cache. A child of fork(2) may use a cache only if no other
 * thread could have been inside it.
 */
struct idm_userns_cache;

/*
 * Creates a cache. A full cache drops the namespace that was least recently used.
 *
 * @max: how many namespaces the cache keeps, 1 to 65536; each is one descriptor
 * @cache: receives the cache; the caller releases it with idm_userns_cache_free()
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: `max` is 0 or over 65536
 *   -ENOMEM: out of memory
 */
IDM_MUST_USE IDM_NONNULL(2)
int idm_userns_cache_new(size_t max, struct idm_userns_cache **cache, struct idm_error *err);

/*
 * Closes the kept descriptors and releases the cache. Cannot fail.
 *
 * @cache: may be NULL
 *
 * Thread safety: no other call may use the cache at the same time
 */
void idm_userns_cache_free(struct idm_userns_cache *cache);

/*
 * Opens a user namespace as idm_userns_open(map, 0, err) does, from the cache if possible.
 *
 * @cache: the cache, which does not keep failures
 * @map: the map
 * @err: may be NULL
 *
 * Returns: a duplicate descriptor, which the caller closes
 * Errors:
 *   as idm_userns_open()
 * Requires: as idm_userns_open(), if the namespace is not in the cache
 * Thread safety: safe, also for one cache
 */
IDM_MUST_USE IDM_NONNULL(1, 2)
int idm_userns_cache_open(struct idm_userns_cache *cache, const struct idm_map *map,
			  struct idm_error *err);

/* ---- trees ----------------------------------------------------------------------------------- */

/* Mount attributes; the values are those of MOUNT_ATTR_* in <linux/mount.h>. */
#define IDM_ATTR_RDONLY 0x00000001U
#define IDM_ATTR_NOSUID 0x00000002U
#define IDM_ATTR_NODEV 0x00000004U
#define IDM_ATTR_NOEXEC 0x00000008U
#define IDM_ATTR_ATIME 0x00000070U /* the field of the next three: clear it to set one of them */
#define IDM_ATTR_RELATIME 0x00000000U
#define IDM_ATTR_NOATIME 0x00000010U
#define IDM_ATTR_STRICTATIME 0x00000020U
#define IDM_ATTR_NODIRATIME 0x00000080U
#define IDM_ATTR_IDMAP 0x00100000U /* reported by idm_list(); cannot be set or cleared by itself */
#define IDM_ATTR_NOSYMFOLLOW 0x00200000U /* Linux 5.14 */

/* How mounts made below a mount propagate to its copies: see mount_namespaces(7). */
enum idm_propagation {
	IDM_PROPAGATION_DEFAULT = 0, /* a tree: private; at its target: as the mount it is put on */
	IDM_PROPAGATION_PRIVATE,
	IDM_PROPAGATION_SLAVE,
	IDM_PROPAGATION_SHARED,
	IDM_PROPAGATION_UNBINDABLE
};

/* An ID on disk that appears as another one. */
struct idm_hardening_info {
	unsigned int kind; /* IDM_UID or IDM_GID; 0: no such ID exists */
	uint32_t disk;
	uint32_t seen;
};

/* What is hardened: see idm_map_hardening(). */
enum idm_harden_as {
	IDM_HARDEN_MOUNT = 0, /* files at another place */
	IDM_HARDEN_BIND,      /* files that a root filesystem gets from elsewhere */
	IDM_HARDEN_ROOT       /* a root filesystem */
};

/*
 * Returns the attributes that make a mount with a map safe, for idm_tree_options.attr_set. The library adds
 * none by itself. Cannot fail. See idm_map(3) for the danger.
 *
 * IDM_HARDEN_MOUNT and IDM_HARDEN_BIND need IDM_ATTR_NOSUID and IDM_ATTR_NODEV if any ID on disk appears as
 * another one. IDM_HARDEN_ROOT needs them if another ID appears as ID 0. IDM_HARDEN_BIND and
 * IDM_HARDEN_ROOT always need IDM_ATTR_NODEV.
 *
 * @map: the map of the mount; NULL: none
 * @as: IDM_HARDEN_*
 * @container: the map of the user namespace that uses the mount; NULL: the caller's own. Its IDs are in the
 *   disk column, the caller's in the seen column.
 * @why: receives the ID that is the reason: one that appears as ID 0 if one exists, else the first; may be
 *   NULL
 *
 * Returns: IDM_ATTR_*, or 0
 */
uint32_t idm_map_hardening(const struct idm_map *map, enum idm_harden_as as,
			   const struct idm_map *container, struct idm_hardening_info *why);

/* Bits 0 to 7; idm_umount() has 8 to 15, and idm_tree_attach() has 18 to 23. */
#define IDM_TREE_RECURSIVE 0x01U /* with all mounts below it, the map and attributes on each */
#define IDM_TREE_NOFOLLOW 0x02U  /* -ELOOP for a symbolic link, as without IDM_ATTACH_FOLLOW below */
#define IDM_TREE_REMAP 0x04U     /* the map may replace one that the source already has (Linux 6.15) */
#define IDM_TREE_ON_TOP 0x08U    /* composes the two: disk IDs are those that the source shows (Linux 6.15) */
#define IDM_TREE_EMPTY_PATH 0x10U /* an empty path is dirfd itself, or the working directory */
#define IDM_TREE_SERVICE 0x20U /* where the kernel refuses the map, idmountd may make it: see idm_tree_open() */

/* Options of idm_tree_open(). Initialise with IDM_TREE_OPTIONS_INIT; all other fields 0: as source. */
struct idm_tree_options {
	size_t size;         /* sizeof(struct idm_tree_options) */
	unsigned int flags;  /* IDM_TREE_* */
	uint32_t attr_set;   /* IDM_ATTR_* to set */
	uint32_t attr_clear; /* IDM_ATTR_* to clear first */
	enum idm_propagation propagation;
};
#define IDM_TREE_OPTIONS_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_tree_options)), IDM_INIT_MEMBER(flags, 0), \
		IDM_INIT_MEMBER(attr_set, 0), IDM_INIT_MEMBER(attr_clear, 0), \
		IDM_INIT_MEMBER(propagation, IDM_PROPAGATION_DEFAULT) \
	}

/*
 * Sets options to the values of IDM_TREE_OPTIONS_INIT. Cannot fail. See idm_init(3).
 *
 * @options: the struct
 * @size: its size in the caller's header: sizeof(struct idm_tree_options)
 */
IDM_NONNULL(1)
void idm_tree_options_init(struct idm_tree_options *options, size_t size);

/*
 * Opens a detached copy of the mount that holds a path, rooted at that directory or file. The caller
 * attaches it with idm_tree_attach(). Closing it undoes everything. No process can see it before it is
 * attached, so its map and attributes are set by then. The library never falls back to an unmapped copy.
 *
 * With a map, a source that is already ID-mapped needs IDM_TREE_REMAP or IDM_TREE_ON_TOP. See
 * idm_tree_open(3).
 *
 * In a user namespace the kernel maps only filesystems that were mounted there, and fails with EPERM for
 * others. With IDM_TREE_SERVICE the library then asks idmountd(8) for the map, at the socket IDMOUNTD_SOCKET
 * of the environment, or /run/idmount/idmountd.sock. It does not ask for a caller in the initial user
 * namespace. The service maps a single mount. Each of its answers may take 30 seconds.
 *
 * @dirfd, @path: as in openat(2); `path` may be empty with IDM_TREE_EMPTY_PATH, and `dirfd` O_PATH
 * @userns_fd: the user namespace that carries the map, not needed afterwards; -1: no map
 * @options: may be NULL
 * @err: may be NULL
 *
 * Returns: a descriptor, which the caller closes
 * Errors:
 *   -EINVAL: the filesystem cannot be ID-mapped; err tells the causes apart
 *   -EINVAL: `userns_fd` is not a user namespace, or lacks a uid or gid map
 *   -EINVAL: the source is unbindable or in another mount namespace
 *   -EINVAL: an unknown flag, attribute or propagation; IDM_TREE_REMAP with IDM_TREE_ON_TOP, or one of them
 *            without a map; IDM_TREE_ON_TOP and IDM_TREE_RECURSIVE for a source that is mapped
 *   -EPERM: a privilege is missing, or the map is the initial user namespace
 *   -EPERM: with a map, the source is already mapped; no flag allows it, or the kernel is before Linux 6.15
 *   -EPERM: with IDM_TREE_SERVICE, idmountd is not running, or refuses the map; err says which
 *   -EPROTO: with IDM_TREE_SERVICE, the reply is not one of idmountd, or reports a map that the tree lacks
 *   -EAGAIN: with IDM_TREE_SERVICE, idmountd had too much to do for 30 seconds
 *   -ETIMEDOUT: with IDM_TREE_SERVICE, idmountd did not answer
 *   -EOPNOTSUPP: with IDM_TREE_SERVICE and IDM_TREE_RECURSIVE, mounts are below the source
 *   -EINVAL: IDM_TREE_SERVICE with IDM_TREE_REMAP or IDM_TREE_ON_TOP
 *   -EOPNOTSUPP: with IDM_TREE_ON_TOP, the source's own map cannot be read, or not all of it
 *   -EINVAL: with IDM_TREE_ON_TOP, no ID of the map is one that the source shows
 *   with IDM_TREE_ON_TOP, for a mapped source: also those of idm_map_add_mount() except -ENODATA, of
 *     idm_map_add_userns() and of idm_userns_open()
 *   -EBUSY: with IDM_ATTR_RDONLY, a file is open for writing
 *   -ELOOP: with IDM_TREE_NOFOLLOW, the path is a symbolic link
 *   -ENOENT: the path is empty, without IDM_TREE_EMPTY_PATH
 *   -EBADF: `userns_fd` is O_PATH, not open, or below -1
 *   -ENOSYS: Linux before 5.12
 *   -E2BIG: options of a newer library
 *   for the path: also the errors of openat(2)
 * Requires: CAP_SYS_ADMIN in the user namespace that owns the mount namespace; for a map also in the one
 *   that mounted the filesystem, unless idmountd makes it; for IDM_TREE_ON_TOP what idm_map_add_userns() and
 *   idm_userns_open() require; Linux 5.12
 * Thread safety: safe
 */
IDM_MUST_USE IDM_NONNULL(2)
int idm_tree_open(int dirfd, const char *path, int userns_fd, const struct idm_tree_options *options,
		  struct idm_error *err);

/* Bits 18 to 23. */
#define IDM_ATTACH_MKDIR 0x040000U   /* create the target if it is missing: directories, or an empty file */
#define IDM_ATTACH_REPLACE 0x080000U /* replace the mount at the target, in one step (Linux 6.5) */
#define IDM_ATTACH_IN_ROOT 0x100000U /* dirfd is a root: every ".." and symbolic link stays below it */
#define IDM_ATTACH_FOLLOW 0x200000U  /* the target may be a symbolic link */

/* Options of idm_tree_attach(). Initialise with IDM_ATTACH_OPTIONS_INIT. */
struct idm_attach_options {
	size_t size;                      /* sizeof(struct idm_attach_options) */
	unsigned int flags;               /* IDM_ATTACH_* */
	enum idm_propagation propagation; /* of the mount, set after attaching; DEFAULT leaves it */
};
#define IDM_ATTACH_OPTIONS_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_attach_options)), \
		IDM_INIT_MEMBER(flags, 0), \
		IDM_INIT_MEMBER(propagation, IDM_PROPAGATION_DEFAULT) \
	}

/*
 * Sets options to the values of IDM_ATTACH_OPTIONS_INIT. Cannot fail. See idm_init(3).
 *
 * @options: the struct
 * @size: its size in the caller's header: sizeof(struct idm_attach_options)
 */
IDM_NONNULL(1)
void idm_attach_options_init(struct idm_attach_options *options, size_t size);

/*
 * Attaches a tree at a target, as the last step and in one system call. The descriptor then refers to the
 * attached mount and may be closed. An attached tree is moved. A failed call removes what IDM_ATTACH_MKDIR
 * created.
 *
 * @tree_fd: the tree
 * @dirfd, @target: as in openat(2)
 * @options: may be NULL
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -ENOENT: no such target, or an empty one
 *   -ELOOP: the target is a symbolic link, also with a slash or "." behind it
 *   -ELOOP: the target ends in ".." and a symbolic link is on its way
 *   -ELOOP: the tree holds the file of this mount namespace or an older one
 *   -ELOOP: the target is below the tree itself
 *   -ENOTDIR, -EISDIR: only one of the two is a directory
 *   -EXDEV, -EAGAIN: as openat2(2)
 *   -EINVAL: the target is in another mount namespace
 *   -EINVAL: the tree is unbindable and the target below a shared mount
 *   -EINVAL: IDM_ATTACH_REPLACE without a mount point, or of one that cannot be replaced, such as "/"
 *   -EINVAL: below a shared mount, another propagation for a replacement or a tree with mounts below it
 *   -EINVAL: an unknown flag or propagation
 *   -EOPNOTSUPP: IDM_ATTACH_REPLACE before Linux 6.5
 *   -EBUSY: IDM_ATTACH_REPLACE without a /proc
 *   -EBUSY: IDM_ATTACH_REPLACE would unmount mounts elsewhere, with those below the old mount
 *   -EPERM: a privilege is missing
 *   -ENOSPC: fs.mount-max
 *   -EBADF: `tree_fd` is not open
 *   -ENOSYS: Linux before 5.12
 *   -E2BIG: options of a newer library
 *   -ENOMEM: out of memory
 *   for the target: also the errors of openat(2)
 * Requires: CAP_SYS_ADMIN in the user namespace that owns the mount namespace; Linux 5.12
 * Thread safety: safe
 */
IDM_NONNULL(3)
int idm_tree_attach(int tree_fd, int dirfd, const char *target,
		    const struct idm_attach_options *options, struct idm_error *err);

/* Options of idm_mount(). Initialise with IDM_MOUNT_OPTIONS_INIT. */
struct idm_mount_options {
	size_t size;               /* sizeof(struct idm_mount_options) */
	unsigned int flags;        /* IDM_TREE_* and IDM_ATTACH_* */
	unsigned int map_flags;    /* of the text: 0 or IDM_MAP_PARSE_LOOKUP */
	unsigned int keep_rest;    /* IDM_UID, IDM_GID: idm_map_keep_rest() for the text; 0: not */
	const struct idm_map *map; /* instead of the text; NULL: the text */
	int source_dirfd;          /* where a relative source begins; AT_FDCWD */
	int target_dirfd;          /* where a relative target begins; AT_FDCWD */
	uint32_t attr_set;         /* IDM_ATTR_* to set */
	uint32_t attr_clear;       /* IDM_ATTR_* to clear first */
	enum idm_propagation propagation; /* as in struct idm_attach_options */
};
#define IDM_MOUNT_OPTIONS_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_mount_options)), IDM_INIT_MEMBER(flags, 0), \
		IDM_INIT_MEMBER(map_flags, 0), IDM_INIT_MEMBER(keep_rest, 0), IDM_INIT_MEMBER(map, NULL), \
		IDM_INIT_MEMBER(source_dirfd, -100 /* AT_FDCWD */), \
		IDM_INIT_MEMBER(target_dirfd, -100 /* AT_FDCWD */), IDM_INIT_MEMBER(attr_set, 0), \
		IDM_INIT_MEMBER(attr_clear, 0), IDM_INIT_MEMBER(propagation, IDM_PROPAGATION_DEFAULT) \
	}

/*
 * Sets options to the values of IDM_MOUNT_OPTIONS_INIT. Cannot fail. See idm_init(3).
 *
 * @options: the struct
 * @size: its size in the caller's header: sizeof(struct idm_mount_options)
 */
IDM_NONNULL(1)
void idm_mount_options_init(struct idm_mount_options *options, size_t size);

/*
 * Mounts a directory or file at a target, with a map. Calls idm_map_parse(), idm_userns_open(),
 * idm_tree_open() and idm_tree_attach(). The mount is complete before any process can see it.
 *
 * @map: the text of a map, as for idm_map_parse(); NULL if the options have a map
 * @source, @target: as in openat(2)
 * @options: may be NULL
 * @err: may be NULL; err->step is that of the function that failed
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: neither a text nor a map, or both; `map_flags` or `keep_rest` without a text
 *   -EINVAL: an unknown flag
 *   -E2BIG: options of a newer library
 *   otherwise: as idm_map_parse(), idm_map_keep_rest(), idm_userns_open(), idm_tree_open() and
 *     idm_tree_attach()
 * Requires: what these functions require; Linux 5.12
 * Thread safety: safe
 */
IDM_NONNULL(2, 3)
int idm_mount(const char *map, const char *source, const char *target,
	      const struct idm_mount_options *options, struct idm_error *err);

/* Bits 8 to 15. */
#define IDM_UMOUNT_RECURSIVE 0x100U /* also every mount below, the deepest first */
#define IDM_UMOUNT_LAZY 0x200U      /* detach now, also when busy; clean up when unused (MNT_DETACH) */
#define IDM_UMOUNT_FOLLOW 0x400U    /* the target may be a symbolic link */

/*
 * Unmounts the top mount at a target. IDM_UMOUNT_RECURSIVE without IDM_UMOUNT_LAZY is not one step. It
 * stops at the first mount that is busy, and err names that mount. The mounts that it unmounted before stay
 * unmounted.
 *
 * @dirfd, @target: as in openat(2)
 * @flags: IDM_UMOUNT_*
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: no mount point, or a mount of another mount namespace
 *   -EINVAL: a mount that another user namespace locked, or an unknown flag
 *   -EBUSY: the mount is in use, and was so for 50 ms
 *   -EBUSY: without /proc, the thread has unshared a PID namespace that has no init
 *   -ELOOP: the target is a symbolic link, as for idm_tree_attach()
 *   -EXDEV: another mount is there by now; only with IDM_UMOUNT_RECURSIVE, for a target that ends in a
 *           slash, "." or "..", or if the mount was in use at first
 *   -ENOENT: no such target, or an empty one
 *   -ENOENT: before Linux 6.11, no procfs at /proc, and the caller may not create one
 *   -EPERM: a privilege is missing
 *   -ENOMEM: out of memory
 *   for the target: also the errors of openat(2)
 *   with IDM_UMOUNT_RECURSIVE: also those of idm_list()
 * Requires: CAP_SYS_ADMIN in the user namespace that owns the mount namespace; Linux 5.8 for
 *   IDM_UMOUNT_RECURSIVE, or for a target that ends in a slash, "." or ".."
 * Thread safety: safe
 */
IDM_NONNULL(2)
int idm_umount(int dirfd, const char *target, unsigned int flags, struct idm_error *err);

/*
 * Unmounts a mount and all mounts below it, by a descriptor of its root. Such a descriptor is a tree that
 * idm_tree_attach() attached. Finds a mount that was moved, and checks its ID just before. The descriptor
 * keeps the mount busy, so the function always detaches it lazily (MNT_DETACH).
 *
 * @mount_fd: the root of the mount
 * @flags: 0, or IDM_UMOUNT_LAZY, which changes nothing
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EBUSY: another mount covers it
 *   -EBUSY, -ENOENT: without /proc, as for idm_umount()
 *   -EINVAL: another flag, or a descriptor that is not the root of a mount
 *   -EINVAL: the mount is attached nowhere below the caller's root directory
 *   -EINVAL: the caller's root directory is on the mount
 *   -EINVAL: another user namespace locked the mount
 *   -EBADF: `mount_fd` is not open
 *   -EPERM: a privilege is missing
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ENOMEM: out of memory
 * Requires: CAP_SYS_ADMIN in the user namespace that owns the mount namespace; Linux 5.8
 * Thread safety: safe
 */
int idm_umount_fd(int mount_fd, unsigned int flags, struct idm_error *err);

/* ---- staging --------------------------------------------------------------------------------- */

/*
 * Opens a staging namespace: a mount namespace that holds a small tmpfs and copies of /proc and /sys, and
 * no other mount of the caller's. Also after chroot(2) these are the ones at the root of the mount
 * namespace. A child's new mount namespace is a copy of the caller's, unless `staging_fd` of its options
 * names a staging namespace. The same holds for overlays and plans before Linux 6.15. So a long-lived
 * program copies its mount table once, and not at each call.
 *
 * @flags: 0
 * @err: may be NULL
 *
 * Returns: a descriptor, which the caller closes
 * Errors:
 *   -EINVAL: a flag, or the root of the caller's mount namespace is the initial ramfs
 *   -EBUSY: the thread has unshared a PID namespace that has no init yet
 *   -ESRCH: the library's child was killed
 *   -ENOSPC: fs.mount-max, or the limit of mount namespaces
 *   -EPERM: a privilege is missing
 *   -EPERM: /proc does not show the caller, and the caller may not make a private one
 *   -EMFILE, -ENFILE, -ENOMEM: out of descriptors or memory
 *   -ENOSYS: a seccomp filter refuses a system call
 * Requires: CAP_SYS_ADMIN in the user namespace that owns the mount namespace; CAP_SYS_CHROOT; Linux 5.6,
 *   without a usable /proc 5.8
 * Thread safety: safe
 */
IDM_MUST_USE
int idm_staging_open(unsigned int flags, struct idm_error *err);

/* ---- overlays -------------------------------------------------------------------------------- */

/* A path, as in openat(2). */
struct idm_path {
	int dirfd;
	const char *path;
};

/* An option of overlayfs: "metacopy" with the value "on"; NULL for one without a value ("volatile"). */
struct idm_mount_option {
	const char *name;
	const char *value;
};

/* Which IDs the upper directory stores on disk when there is a map. */
enum idm_upper_ids {
	/*
	 * The seen ones. The library uses the upper directory as it is. That directory should belong to the
	 * seen root, because the root directory of the overlay has the same owner.
	 */
	IDM_UPPER_SHIFTED = 0,
	/*
	 * The disk ones, as in the layers below. The upper directory is ID-mapped, too. It can be committed,
	 * copied, or used under another map. The map must cover disk uid and gid 0. In a user namespace with
	 * IDM_OVERLAY_SERVICE the owner of the upper directory is enough.
	 */
	IDM_UPPER_DISK
};

/*
 * How the library creates the overlay. Without a flag it passes layers by descriptor where the kernel
 * accepts detached layers (Linux 6.15). Elsewhere it works in a mount namespace of a child.
 */
#define IDM_OVERLAY_BY_DESCRIPTOR 0x1U /* only: detached layers, by descriptor */
#define IDM_OVERLAY_IN_NAMESPACE 0x2U  /* only: in a mount namespace that disappears with the call */
/*
 * How an overlay with IDM_UPPER_DISK gets the mapped root's credentials for its upper directory. Without the
 * flag override_creds sets them where the kernel has it (Linux 6.15).
 */
#define IDM_OVERLAY_CREATE_AS_ROOT 0x4U /* only: a child with those credentials creates it */
#define IDM_OVERLAY_EMPTY_PATH 0x8U     /* an empty path of a layer is its dirfd itself, else -ENOENT */
/*
 * The caller guarantees that no other overlay uses the upper and the work directory. The library does not
 * search for one. That search costs a system call for each mount of the host, or with an idm_upper_cache for
 * each new one.
 */
#define IDM_OVERLAY_UPPER_UNUSED 0x10U
#define IDM_OVERLAY_SERVICE 0x20U /* IDM_TREE_SERVICE for each mapped copy: each is a request of its own */

/*
 * A cache for the search for other overlays on an upper or work directory. It holds the unique IDs of mounts
 * that are no overlays, 8 bytes each, and no descriptor. A search lists the IDs of all mounts, and asks the
 * kernel for overlays and for mounts that are not in the cache. So the result is the same as without a
 * cache. One cache serves all mount namespaces. Before Linux 6.11 the library reads mountinfo, and does not
 * use it. All functions but idm_upper_cache_free() may run in any number of threads at once. A child of
 * fork(2) may use a cache only if no other thread could have been inside it.
 */
struct idm_upper_cache;

/*
 * Creates an empty cache. The first search fills it. Each search drops the mounts that no longer exist.
 *
 * @cache: receives the cache; the caller releases it with idm_upper_cache_free()
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -ENOMEM: out of memory
 */
IDM_MUST_USE IDM_NONNULL(1)
int idm_upper_cache_new(struct idm_upper_cache **cache, struct idm_error *err);

/*
 * Releases the cache. Cannot fail.
 *
 * @cache: may be NULL
 *
 * Thread safety: no other call may use the cache at the same time
 */
void idm_upper_cache_free(struct idm_upper_cache *cache);

/* Options of idm_overlay_open(). Initialise with IDM_OVERLAY_OPTIONS_INIT. */
struct idm_overlay_options {
	size_t size; /* sizeof(struct idm_overlay_options) */
	unsigned int flags;
	const struct idm_path *lower; /* the top one first */
	size_t n_lower;
	const struct idm_path *data; /* data-only layers, below the others (Linux 6.8) */
	size_t n_data;
	const struct idm_path *upper; /* NULL: the overlay is read-only */
	const struct idm_path *work;  /* on the same mount as upper; NULL if there is no upper */
	const struct idm_map *map;    /* NULL: none */
	enum idm_upper_ids upper_ids;
	const struct idm_mount_option *options;
	size_t n_options;
	uint32_t attr;	    /* IDM_ATTR_* of the mount */
	const char *source; /* what the mount table shows as source; NULL: "overlay" */
	/*
	 * The library calls it after it opens a layer, in the calling thread; NULL: no call. Another value
	 * than 0 cancels the call: it undoes everything, and fails with -ECANCELED.
	 */
	int (*progress)(size_t done, size_t all, void *data);
	void *progress_data;
	int staging_fd; /* of idm_staging_open(), used before Linux 6.15; -1: none */
	struct idm_upper_cache *upper_cache; /* for the search for other overlays on upper or work; NULL: none */
};
#define IDM_OVERLAY_OPTIONS_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_overlay_options)), IDM_INIT_MEMBER(flags, 0), \
		IDM_INIT_MEMBER(lower, NULL), IDM_INIT_MEMBER(n_lower, 0), \
		IDM_INIT_MEMBER(data, NULL), IDM_INIT_MEMBER(n_data, 0), IDM_INIT_MEMBER(upper, NULL), \
		IDM_INIT_MEMBER(work, NULL), IDM_INIT_MEMBER(map, NULL), \
		IDM_INIT_MEMBER(upper_ids, IDM_UPPER_SHIFTED), IDM_INIT_MEMBER(options, NULL), \
		IDM_INIT_MEMBER(n_options, 0), IDM_INIT_MEMBER(attr, 0), \
		IDM_INIT_MEMBER(source, NULL), IDM_INIT_MEMBER(progress, NULL), \
		IDM_INIT_MEMBER(progress_data, NULL), IDM_INIT_MEMBER(staging_fd, -1), \
		IDM_INIT_MEMBER(upper_cache, NULL) \
	}

/*
 * Sets options to the values of IDM_OVERLAY_OPTIONS_INIT. Cannot fail. See idm_init(3).
 *
 * @options: the struct
 * @size: its size in the caller's header: sizeof(struct idm_overlay_options)
 */
IDM_NONNULL(1)
void idm_overlay_options_init(struct idm_overlay_options *options, size_t size);

/*
 * Opens a detached overlay, for idm_tree_attach(). The map applies to the lower and the data-only layers,
 * with one mapped copy for all layers of one mount. No layer is ever attached where another process could
 * see it. Closing the descriptor, or unmounting, undoes everything.
 *
 * @overlay: the layers and options
 * @err: may be NULL; names the layer or option
 *
 * Returns: a descriptor, which the caller closes
 * Errors:
 *   -E2BIG: more than 500 lower and data-only layers, options that are too long, or a newer struct
 *   -ELOOP: a layer is listed twice, or is inside another one
 *   -ECANCELED: `progress` returned another value than 0
 *   -EXDEV: upper and work are on different mounts
 *   -EBUSY: another overlay of this mount namespace uses upper or work; since Linux 6.12 also one of
 *           another mount namespace, if the caller may see it
 *   -EBUSY: the thread has unshared a PID namespace that has no init yet
 *   -EROFS: with an upper directory, the overlay is read-only
 *   -ESTALE: with index=on, the upper directory was used with other layers before
 *   -EINVAL: too few layers, or work without upper or upper without work
 *   -EINVAL: an option that the kernel does not know or accept
 *   -EINVAL: a layer's filesystem cannot be ID-mapped or be a layer
 *   -EINVAL: IDM_UPPER_DISK and a map without disk uid 0 or disk gid 0, or without the owner of `upper`
 *   -EINVAL: an unknown flag, attribute or `upper_ids`, or two that exclude each other
 *   -EINVAL: IDM_OVERLAY_UPPER_UNUSED without an upper directory
 *   -EINVAL: an array or an option's name is NULL
 *   -EINVAL: `staging_fd` is no mount namespace
 *   -ENOTDIR: a layer is not a directory
 *   -EOPNOTSUPP: IDM_OVERLAY_BY_DESCRIPTOR before Linux 6.15
 *   -ENOENT: a path is empty, without IDM_OVERLAY_EMPTY_PATH
 *   -EPERM: a privilege is missing
 *   -ENOSYS: Linux before 5.12
 *   for paths: also the errors of openat(2)
 *   otherwise: as idm_userns_open(), and with IDM_OVERLAY_SERVICE as idm_tree_open()
 * Requires: CAP_SYS_ADMIN in the user namespace that owns the mount namespace; Linux 5.12; with a map what
 *   idm_userns_open() and idm_tree_open() require, and Linux 5.19; options as the kernel knows them
 * Thread safety: safe
 */
IDM_MUST_USE IDM_NONNULL(1)
int idm_overlay_open(const struct idm_overlay_options *overlay, struct idm_error *err);

/* ---- plans ----------------------------------------------------------------------------------- */

/*
 * A plan: an ordered list of mounts that together make one root filesystem. The first mount is the root.
 * The others have targets below it. The library checks each mount when it is added. It looks up the named
 * files only when the plan is opened. One thread at a time may use a plan.
 */
struct idm_plan;

/*
 * Creates an empty plan.
 *
 * @plan: receives the plan; the caller releases it with idm_plan_free()
 *
 * Returns: 0
 * Errors:
 *   -ENOMEM: out of memory
 */
IDM_MUST_USE IDM_NONNULL(1)
int idm_plan_new(struct idm_plan **plan);

/*
 * Releases a plan. Cannot fail.
 *
 * @plan: may be NULL
 */
void idm_plan_free(struct idm_plan *plan);

/* Bits 0 to 7; IDM_PLAN_APPLY_* are bits 8 to 15, IDM_PLAN_UNDO_* 16 to 23. */
#define IDM_PLAN_ADD_MKDIR 0x01U       /* create the target in the root filesystem if it is missing */
#define IDM_PLAN_ADD_RDONLY_LAST 0x02U /* of the first mount: "ro" takes effect when all is assembled */

/* One mount. Initialise with IDM_PLAN_ADD_OPTIONS_INIT. */
struct idm_plan_add_options {
	size_t size;        /* sizeof(struct idm_plan_add_options) */
	unsigned int flags; /* IDM_PLAN_ADD_* */
	int dirfd;          /* what relative paths in source and options begin at; AT_FDCWD */
	const char *type;   /* see idm_plan(3); may be NULL for a bind */
	const char *source; /* NULL: none */
	const char *target; /* below the root; NULL, "" and "/": the root itself */
	const char *const *options; /* one mount option an element */
	size_t n_options;
	const struct idm_map *map; /* instead of the options uidmap= and gidmap=; NULL: none */
};
#define IDM_PLAN_ADD_OPTIONS_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_plan_add_options)), IDM_INIT_MEMBER(flags, 0), \
		IDM_INIT_MEMBER(dirfd, -100 /* AT_FDCWD */), IDM_INIT_MEMBER(type, NULL), \
		IDM_INIT_MEMBER(source, NULL), IDM_INIT_MEMBER(target, NULL), \
		IDM_INIT_MEMBER(options, NULL), IDM_INIT_MEMBER(n_options, 0), \
		IDM_INIT_MEMBER(map, NULL) \
	}

/*
 * Sets options to the values of IDM_PLAN_ADD_OPTIONS_INIT. Cannot fail. See idm_init(3).
 *
 * @options: the struct
 * @size: its size in the caller's header: sizeof(struct idm_plan_add_options)
 */
IDM_NONNULL(1)
void idm_plan_add_options_init(struct idm_plan_add_options *options, size_t size);

/*
 * Adds a mount at the end, in the terms of containerd's mount lists and of the OCI runtime specification.
 * Of two options that contradict each other the later one holds. idm_plan(3) lists the types and the
 * options.
 *
 * @plan: the plan to add to
 * @mount: the mount; the function copies everything, and duplicates `dirfd`
 * @err: may be NULL; names the mount or the option
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: an unknown type, flag or mount option; an option of a filesystem for a bind
 *   -EINVAL: a map on one side only, given twice, or rejected by idm_map_parse() or idm_map_check()
 *   -EINVAL: idmap or ridmap without a map
 *   -EINVAL: a missing source, or a missing directory of an overlay
 *   -EINVAL: a target with ".."; a first mount that is not the root, or another one that is
 *   -EINVAL: IDM_PLAN_ADD_RDONLY_LAST for another mount than the first
 *   -EINVAL: an option, or the array of them, is NULL
 *   -E2BIG: the map is too large, or options of a newer library
 *   -EBADF: `dirfd` is not open
 *   -EMFILE: no more descriptors
 *   -ENOMEM: out of memory
 */
IDM_NONNULL(1)
int idm_plan_add(struct idm_plan *plan, const struct idm_plan_add_options *mount, struct idm_error *err);

enum idm_plan_format {
	IDM_PLAN_READ_ANY = 0,    /* the form of the text determines it */
	IDM_PLAN_READ_CONTAINERD, /* an array of {"Type", "Source", "Target", "Options"}, or {"mounts": [...]} */
	IDM_PLAN_READ_OCI         /* config.json of an OCI bundle */
};

/* Options of idm_plan_read(). Initialise with IDM_PLAN_READ_OPTIONS_INIT. */
struct idm_plan_read_options {
	size_t size; /* sizeof(struct idm_plan_read_options) */
	enum idm_plan_format format;
	int dirfd; /* what relative paths begin at: the directory of the bundle; AT_FDCWD */
	/*
	 * A map for mounts to which the text assigns none; NULL: none. containerd: for every bind, overlay and
	 * filesystem on a device. OCI: for the root filesystem, and for mounts with idmap or ridmap if there is no
	 * linux.uidMappings.
	 */
	const struct idm_map *map;
};
#define IDM_PLAN_READ_OPTIONS_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_plan_read_options)), \
		IDM_INIT_MEMBER(format, IDM_PLAN_READ_ANY), \
		IDM_INIT_MEMBER(dirfd, -100 /* AT_FDCWD */), IDM_INIT_MEMBER(map, NULL) \
	}

/*
 * Sets options to the values of IDM_PLAN_READ_OPTIONS_INIT. Cannot fail. See idm_init(3).
 *
 * @options: the struct
 * @size: its size in the caller's header: sizeof(struct idm_plan_read_options)
 */
IDM_NONNULL(1)
void idm_plan_read_options_init(struct idm_plan_read_options *options, size_t size);

/*
 * Adds the mounts that a JSON text describes. idm_plan(3) lists the properties that the function reads.
 *
 * @plan: the plan to add to
 * @text: the text, which needs no final NUL
 * @length: of the text, in bytes
 * @how: the format, the directory of relative paths, and a map; may be NULL
 * @err: may be NULL; names the mount, or the line and column
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: malformed JSON, a duplicate key, over 32 levels, or a NUL in a string
 *   -EINVAL: a value of the wrong type or out of range; a missing property; a list without a mount
 *   -EINVAL: an unknown key in a containerd list; a key that matches an OCI property except for case
 *   -EINVAL: an unknown format, or `text` is NULL and `length` is not 0
 *   -E2BIG: over 16 MiB or 100000 values
 *   otherwise: as idm_plan_add()
 */
IDM_NONNULL(1)
int idm_plan_read(struct idm_plan *plan, const char *text, size_t length,
		  const struct idm_plan_read_options *how, struct idm_error *err);

/*
 * Adds the attributes of idm_map_hardening() to each mount whose options do not mention them. Cannot fail.
 * idm_plan(3) lists the mounts that are hardened, and how.
 *
 * @plan: the plan to change
 * @container: as for idm_map_hardening(); may be NULL
 * @why: receives the first ID that is the reason for an attribute, or kind 0; may be NULL
 *
 * Returns: the number of mounts that received an attribute because of an ID
 */
IDM_NONNULL(1)
size_t idm_plan_harden(struct idm_plan *plan, const struct idm_map *container,
		       struct idm_hardening_info *why);

/*
 * How the library assembles the plan. Without a flag it does so detached where the kernel attaches mounts
 * to detached ones (Linux 6.15). On older kernels it uses a mount namespace of its own.
 */
#define IDM_PLAN_APPLY_DETACHED 0x100U     /* only: detached */
#define IDM_PLAN_APPLY_IN_NAMESPACE 0x200U /* only: in a mount namespace that disappears with the call */
#define IDM_PLAN_APPLY_MKDIR 0x400U /* create missing targets: in the root filesystem, and the plan's own */
#define IDM_PLAN_APPLY_UPPER_UNUSED 0x800U /* IDM_OVERLAY_UPPER_UNUSED for each overlay with an upper directory */
#define IDM_PLAN_APPLY_SERVICE 0x1000U /* IDM_TREE_SERVICE for each bind mount, IDM_OVERLAY_SERVICE for each overlay */

/* Options of idm_plan_open() and idm_plan_apply(). Initialise with IDM_PLAN_APPLY_OPTIONS_INIT. */
struct idm_plan_apply_options {
	size_t size;                  /* sizeof(struct idm_plan_apply_options) */
	unsigned int flags;           /* IDM_PLAN_APPLY_* */
	enum idm_upper_ids upper_ids; /* of overlays that have a map */
	const char *journal;          /* of idm_plan_apply(): a file to create for idm_plan_undo(); NULL: none */
	/*
	 * The library calls it after it creates a mount, in the calling thread; NULL: no call. Another value
	 * than 0 cancels the call: it undoes everything, and fails with -ECANCELED.
	 */
	int (*progress)(size_t done, size_t all, void *data);
	void *progress_data;
	int staging_fd; /* of idm_staging_open(), used before Linux 6.15; -1: none */
	struct idm_upper_cache *upper_cache; /* for each overlay with an upper directory; NULL: none */
};
#define IDM_PLAN_APPLY_OPTIONS_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_plan_apply_options)), \
		IDM_INIT_MEMBER(flags, 0), IDM_INIT_MEMBER(upper_ids, IDM_UPPER_SHIFTED), \
		IDM_INIT_MEMBER(journal, NULL), IDM_INIT_MEMBER(progress, NULL), \
		IDM_INIT_MEMBER(progress_data, NULL), IDM_INIT_MEMBER(staging_fd, -1), \
		IDM_INIT_MEMBER(upper_cache, NULL) \
	}

/*
 * Sets options to the values of IDM_PLAN_APPLY_OPTIONS_INIT. Cannot fail. See idm_init(3).
 *
 * @options: the struct
 * @size: its size in the caller's header: sizeof(struct idm_plan_apply_options)
 */
IDM_NONNULL(1)
void idm_plan_apply_options_init(struct idm_plan_apply_options *options, size_t size);

/*
 * Assembles a plan as one detached tree, for idm_tree_attach(). Closing the descriptor undoes it. Targets
 * that were created in a writable root filesystem stay there. See idm_plan(3) for targets and propagation.
 *
 * @plan: the plan
 * @options: may be NULL
 * @err: may be NULL; names the mount
 *
 * Returns: a descriptor, which the caller closes
 * Errors:
 *   -EINVAL: an empty plan; an unknown flag or `upper_ids`; two flags that exclude each other; a journal
 *   -EINVAL: an option that the kernel rejects; a "loop" source that is not a regular file
 *   -EINVAL: a symbolic link leads a target to the root itself
 *   -EINVAL: `staging_fd` is no mount namespace
 *   -ENOENT: a source or a target is missing
 *   -ELOOP: a target is a symbolic link, or a magic link or too many links are on its way
 *   -ENOTDIR, -EISDIR: only one of source and target is a directory
 *   -ENOTBLK: the source is not a block device, and "loop" is not set
 *   -EROFS: a missing target in a read-only root
 *   -ECANCELED: `progress` returned another value than 0
 *   -EOVERFLOW: a missing target, and the map has neither the caller's ID nor disk ID 0
 *   -ENODEV: the kernel does not have the filesystem
 *   -EBUSY: no loop device was free; or before Linux 6.15, the thread has unshared a PID namespace that
 *           has no init yet
 *   -ENOSPC: fs.mount-max
 *   -EOPNOTSUPP: IDM_PLAN_APPLY_DETACHED before Linux 6.15, or a propagation that a detached mount cannot
 *                have
 *   -EOPNOTSUPP: type cgroup on a host with cgroups of version 1
 *   -EMFILE: no more descriptors; each mount uses one during the assembly
 *   -EPERM: a privilege is missing
 *   -ENOSYS: Linux before 5.12
 *   otherwise: as idm_userns_open(), idm_tree_open() and idm_overlay_open()
 * Requires: CAP_SYS_ADMIN in the user namespace that owns the mount namespace; what each mount requires;
 *   Linux 5.12; before Linux 6.15 also a /proc, or the right to make a private one
 */
IDM_MUST_USE IDM_NONNULL(1)
int idm_plan_open(const struct idm_plan *plan, const struct idm_plan_apply_options *options,
		  struct idm_error *err);

/*
 * Opens a plan, and attaches it at a target in one step. With a journal the library writes all that it
 * creates to that file, with mode 0600. A failed call removes the file. idm_plan(3) describes targets below
 * a shared mount.
 *
 * @plan: the plan
 * @dirfd, @target: as in openat(2); a symbolic link is not followed
 * @options: may be NULL
 * @err: may be NULL; names the mount
 *
 * Returns: 0
 * Errors:
 *   -EEXIST: the journal exists
 *   -EBUSY, -ENOENT: another process undoes the new journal already
 *   -ENOENT: with a journal, /proc does not show the caller
 *   -EOPNOTSUPP: before Linux 6.15, a propagation for a mount that another mount of the plan covers
 *   for the journal: also the errors of open(2), write(2) and fsync(2)
 *   otherwise: as idm_plan_open() and idm_tree_attach()
 * Requires: as idm_plan_open(); for a journal a /proc
 */
IDM_NONNULL(1, 3)
int idm_plan_apply(const struct idm_plan *plan, int dirfd, const char *target,
		   const struct idm_plan_apply_options *options, struct idm_error *err);

#define IDM_PLAN_UNDO_LAZY 0x10000U /* detach now, also what is in use */

/*
 * Undoes what a journal lists, also after a crash or a restart of the machine. It unmounts the mounts. It
 * removes the created directories and files that are still empty and unchanged, and last the journal. It
 * skips what is gone, and removes nothing recursively. A failed call can have undone a part; a later call
 * continues. A journal whose first line is not complete lists nothing, and is removed: a crash can leave an
 * empty file. It must be a regular file of the caller, as every journal.
 *
 * Another mount namespace can have a copy of the mounts, such as that of a container that still runs. Undo
 * keeps that copy, except for mounts on a target that idm_plan_apply() created: the kernel detaches these
 * in every mount namespace when the target is removed. So undo it after the container has ended.
 *
 * @journal: the journal of idm_plan_apply()
 * @flags: 0 or IDM_PLAN_UNDO_LAZY
 * @err: may be NULL; names the mount or file
 *
 * Returns: 0
 * Errors:
 *   -EBUSY: a mount is in use, or another mount covers it
 *   -EBUSY: a mount that the journal does not list is on or below one that it lists; nothing is undone
 *   -EBUSY: another process applies or undoes this journal
 *   -ENOTEMPTY: a created directory or file is not empty; all else is undone, and the journal stays
 *   -EXDEV: the mounts are in another mount namespace, or not below the caller's root directory
 *   -EINVAL: not a journal, or an unknown flag
 *   -ENOENT: no such journal, or /proc does not show the caller
 *   -ELOOP: the journal is a symbolic link
 *   -ESTALE: all is undone, but another file has the journal's name by now; that file stays
 *   -EPERM: a privilege is missing, or another user can write the journal
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ENOMEM: out of memory
 *   for the journal: also the errors of open(2)
 *   for a created file: also the errors of unlink(2); all else is undone, and the journal stays
 * Requires: CAP_SYS_ADMIN in the user namespace that owns the mount namespace; a /proc
 * Thread safety: safe
 */
IDM_NONNULL(1)
int idm_plan_undo(const char *journal, unsigned int flags, struct idm_error *err);

/* ---- listing --------------------------------------------------------------------------------- */

enum idm_map_state {
	IDM_MAP_NONE = 0,   /* the mount is not ID-mapped */
	IDM_MAP_READ,       /* the map was read */
	IDM_MAP_PARTLY,     /* entries are, or may be, missing: the caller's user namespace lacks some IDs */
	IDM_MAP_INVISIBLE,  /* no entry is visible from the caller's user namespace */
	IDM_MAP_UNREADABLE  /* ID-mapped, but the map is not readable on this kernel (before 6.15) */
};

/* One mount. It, its strings and its map live until the callback returns. */
struct idm_mount_info {
	size_t size;             /* sizeof(struct idm_mount_info) in the library; see IDM_HAS() */
	uint64_t id;             /* unique mount ID (STATX_MNT_ID_UNIQUE); the short one before Linux 6.8,
				    in other namespaces before 6.12, and in cases that idm_list(3) lists */
	uint64_t parent_id;
	uint64_t namespace_id;   /* of the mount namespace; 0 before Linux 6.12; see namespace_inode */
	uint64_t namespace_inode; /* st_ino of the mount namespace; 0 if unknown */
	uint32_t attr;           /* IDM_ATTR_* */
	enum idm_propagation propagation;
	enum idm_map_state map_state;
	const char *target;      /* mount point, as seen from the caller's root, in another namespace from
				    the root of that; empty if it cannot be reached from there */
	const char *source;      /* what the filesystem was mounted from: a device, or its own name */
	const char *root;        /* the part of the filesystem that is mounted, "/" for all of it */
	const char *fstype;      /* with the subtype: "fuse.sshfs" */
	const struct idm_map *map; /* NULL unless map_state is READ or PARTLY */
	uint32_t dev_major, dev_minor; /* of the filesystem, as in mountinfo. On btrfs, stat(2) of a file on it
					  returns another one */
};

#define IDM_LIST_ALL_NAMESPACES 0x1U /* every mount namespace on the host, not only the caller's */
#define IDM_LIST_UNMAPPED 0x2U       /* also mounts that are not ID-mapped */

/*
 * Lists ID-mapped mounts in the order of mounting. One namespace follows the other, the caller's first. A
 * mount that disappears during the listing is skipped. The library holds no lock during a callback.
 *
 * @flags: 0, or IDM_LIST_ALL_NAMESPACES and IDM_LIST_UNMAPPED
 * @each: called for each mount, in the calling thread; returns 0 to continue; may mount and unmount
 * @data: passed to `each`; may be NULL
 * @err: may be NULL; unchanged if `each` ended the listing
 *
 * Returns: 0, or the first other value of `each`, which ends the listing
 * Errors:
 *   -EINVAL: an unknown flag
 *   -EPERM: IDM_LIST_ALL_NAMESPACES without the privilege
 *   -EPERM, -ENOENT: /proc is needed (before Linux 6.13, or for all namespaces); it does not show the
 *                    caller, and the caller may not make a private one
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ENOMEM: out of memory
 * Requires: for the caller's namespace nothing; for IDM_LIST_ALL_NAMESPACES CAP_SYS_ADMIN in the initial
 *   user namespace; on newer kernels also the initial PID namespace; before Linux 6.12 also CAP_SYS_PTRACE
 *   and CAP_SYS_CHROOT; for maps Linux 6.15; see idm_list(3) for older kernels
 * Thread safety: safe
 */
IDM_NONNULL(2)
int idm_list(unsigned int flags, int (*each)(const struct idm_mount_info *mount, void *data), void *data,
	     struct idm_error *err);

#define IDM_LIST_EMPTY_PATH 0x4U /* an empty path is dirfd itself, or the working directory */

/*
 * Reports the one mount that holds a path, mapped or not. The library holds no descriptor on the mount
 * during the callback.
 *
 * @dirfd, @path: as in openat(2), any path on the mount; may be empty with IDM_LIST_EMPTY_PATH
 * @flags: 0 or IDM_LIST_EMPTY_PATH
 * @each, @data, @err: as for idm_list()
 *
 * Returns: 0, or the value of `each`
 * Errors:
 *   -EINVAL: an unknown flag
 *   -ENOENT: the path is empty, without IDM_LIST_EMPTY_PATH
 *   -ENOENT: the mount is detached, or in another mount namespace where the library does not look
 *   -EOPNOTSUPP: Linux before 5.8
 *   for the path: also the errors of openat(2)
 *   otherwise: as idm_list()
 * Requires: as idm_list(); for a mount of another namespace what IDM_LIST_ALL_NAMESPACES requires, and
 *   Linux 6.12
 * Thread safety: safe
 */
IDM_NONNULL(2, 4)
int idm_list_path(int dirfd, const char *path, unsigned int flags,
		  int (*each)(const struct idm_mount_info *mount, void *data), void *data,
		  struct idm_error *err);

/*
 * The mounts of idm_list() or idm_list_path(), as copies. They and their strings and maps are valid until the
 * iterator is freed. One thread at a time may use an iterator.
 */
struct idm_list_iter;

/*
 * Lists ID-mapped mounts as idm_list() does, for idm_list_iter_next().
 *
 * @flags: as for idm_list()
 * @iter: receives the iterator; the caller releases it with idm_list_iter_free()
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   as idm_list()
 * Requires: as idm_list()
 * Thread safety: safe
 */
IDM_MUST_USE IDM_NONNULL(2)
int idm_list_iter_new(unsigned int flags, struct idm_list_iter **iter, struct idm_error *err);

/*
 * Reports the one mount that holds a path as idm_list_path() does, for idm_list_iter_next().
 *
 * @dirfd, @path, @flags: as for idm_list_path()
 * @iter: receives the iterator; the caller releases it with idm_list_iter_free()
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   as idm_list_path()
 * Requires: as idm_list_path()
 * Thread safety: safe
 */
IDM_MUST_USE IDM_NONNULL(2, 4)
int idm_list_path_iter_new(int dirfd, const char *path, unsigned int flags, struct idm_list_iter **iter,
			   struct idm_error *err);

/*
 * Returns the next mount.
 *
 * @iter: the iterator
 *
 * Returns: the mount, which belongs to the iterator; NULL after the last one
 */
IDM_NONNULL(1)
const struct idm_mount_info *idm_list_iter_next(struct idm_list_iter *iter);

/*
 * Releases an iterator and its mounts. Cannot fail.
 *
 * @iter: may be NULL
 */
void idm_list_iter_free(struct idm_list_iter *iter);

/* ---- what this host can do ------------------------------------------------------------------- */

/* One ability of the running kernel, found out by trying. The strings are static. */
struct idm_feature_info {
	size_t size;         /* sizeof(struct idm_feature_info) in the library; see IDM_HAS() */
	const char *name;    /* "idmapped-mounts", "open-tree-attr", ... */
	const char *what;    /* one line for a person */
	const char *since;   /* the first kernel that has it: "6.15" */
	bool available;      /* false also where seccomp, Landlock or a missing privilege forbids it */
	int errnum;          /* why not, as the kernel said it; 0 if available */
	const char *hint;    /* what makes it available; NULL: not known */
};

/*
 * Reports every feature of the kernel that the library uses, always in the same order. The last one is not the
 * kernel's: "service" is available if idmountd(8) answers.
 *
 * @flags: 0
 * @each: called for each feature, in the calling thread; returns 0 to continue
 * @data: passed to `each`; may be NULL
 * @err: may be NULL; unchanged if `each` ended the calls
 *
 * Returns: 0, or the first other value of `each`, which ends the calls
 * Errors:
 *   -EINVAL: an unknown flag
 * Requires: nothing; without privilege more features are unavailable
 * Thread safety: safe
 */
IDM_NONNULL(2)
int idm_features(unsigned int flags, int (*each)(const struct idm_feature_info *feature, void *data),
		 void *data, struct idm_error *err);

/* The features of idm_features(), as copies. One thread at a time may use an iterator. */
struct idm_feature_iter;

/*
 * Tries every feature as idm_features() does, for idm_feature_iter_next().
 *
 * @flags: 0
 * @iter: receives the iterator; the caller releases it with idm_feature_iter_free()
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: an unknown flag
 *   -ENOMEM: out of memory
 * Requires: as idm_features()
 * Thread safety: safe
 */
IDM_MUST_USE IDM_NONNULL(2)
int idm_feature_iter_new(unsigned int flags, struct idm_feature_iter **iter, struct idm_error *err);

/*
 * Returns the next feature.
 *
 * @iter: the iterator
 *
 * Returns: the feature, which belongs to the iterator; NULL after the last one
 */
IDM_NONNULL(1)
const struct idm_feature_info *idm_feature_iter_next(struct idm_feature_iter *iter);

/*
 * Releases an iterator and its features. Cannot fail.
 *
 * @iter: may be NULL
 */
void idm_feature_iter_free(struct idm_feature_iter *iter);

/* Also make a file (O_TMPFILE, never visible) through a mapped copy and compare the IDs. */
#define IDM_CHECK_WRITE 0x100U
#define IDM_CHECK_EMPTY_PATH 0x200U /* an empty path is dirfd itself, or the working directory */

/* The result of idm_check_path(). Initialise with IDM_CHECK_RESULT_INIT. */
struct idm_check_result {
	size_t size;          /* sizeof(struct idm_check_result) */
	bool mappable;        /* an ID-mapped mount of the path can be made, and shows mapped IDs */
	bool mapped;          /* the path is on an ID-mapped mount already */
	bool writable;        /* IDM_CHECK_WRITE: a file was made, with the right IDs on both sides */
	bool disk_id_checked; /* IDM_CHECK_WRITE: the ID on disk could be read (needs file handles) */
	char fstype[64];
};
#define IDM_CHECK_RESULT_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_check_result)), IDM_INIT_MEMBER(mappable, false), \
		IDM_INIT_MEMBER(mapped, false), IDM_INIT_MEMBER(writable, false), \
		IDM_INIT_MEMBER(disk_id_checked, false), IDM_INIT_MEMBER(fstype, "") \
	}

/*
 * Sets a result to the values of IDM_CHECK_RESULT_INIT. Cannot fail. See idm_init(3).
 *
 * @result: the struct
 * @size: its size in the caller's header: sizeof(struct idm_check_result)
 */
IDM_NONNULL(1)
void idm_check_result_init(struct idm_check_result *result, size_t size);

/*
 * Checks whether a path can be ID-mapped. The library maps a detached copy, and closes it again. It
 * compares an owner that the copy shows with the owner on disk.
 *
 * @dirfd, @path: as in openat(2); `path` may be empty with IDM_CHECK_EMPTY_PATH
 * @flags: 0, or IDM_CHECK_WRITE and IDM_CHECK_EMPTY_PATH
 * @check: receives the result; the caller sets its size
 * @why: receives the reason if the call succeeds and `mappable` is false, or with IDM_CHECK_WRITE
 *   `writable`; without such a reason its errnum is 0; may be NULL
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: an unknown flag, or a size that is too small
 *   -E2BIG: a size of a newer library, with unknown members set
 *   -ENOENT: the path is empty, without IDM_CHECK_EMPTY_PATH
 *   for the path: also the errors of openat(2)
 *   otherwise: as idm_userns_open() and idm_map_add_pid(), for a map to try
 * Requires: as idm_tree_open()
 * Thread safety: safe
 */
IDM_NONNULL(2, 4)
int idm_check_path(int dirfd, const char *path, unsigned int flags, struct idm_check_result *check,
		   struct idm_error *why, struct idm_error *err);

/* ---- explaining access ----------------------------------------------------------------------- */

/* What a process wants to do with a file or a directory. */
enum idm_access {
	IDM_ACCESS_READ = 1, /* open it for reading */
	IDM_ACCESS_WRITE,    /* open it for writing, without O_APPEND; a directory: as access(2) */
	IDM_ACCESS_EXECUTE,  /* execute it; a directory: look up a name in it */
	IDM_ACCESS_CREATE,   /* create a file in this directory */
	IDM_ACCESS_UNLINK,   /* remove it from its directory */
	IDM_ACCESS_CHMOD,    /* change its mode */
	IDM_ACCESS_CHOWN,    /* change its owner, its group or both */
	IDM_ACCESS_FOLLOW,   /* follow this symbolic link, which is the last component of a path */
	IDM_ACCESS_OVERWRITE /* as IDM_ACCESS_WRITE with O_CREAT, for a file that exists: > of a shell */
};

/* The kernel's rule that refuses an access, and the errno. A later version can add rules. */
enum idm_access_rule {
	IDM_RULE_NONE = 0,            /* no rule refuses it */
	IDM_RULE_PERMISSION,          /* EACCES: mode or ACL lack a bit, and no capability overrides that */
	IDM_RULE_FILESYSTEM_READONLY, /* EROFS */
	IDM_RULE_MOUNT_READONLY,      /* EROFS */
	IDM_RULE_NODEV,               /* EACCES: a device on a mount with nodev */
	IDM_RULE_NOEXEC,              /* EACCES: a program on a mount with noexec */
	IDM_RULE_NO_PROGRAM,          /* EACCES: neither a regular file nor a directory */
	IDM_RULE_IMMUTABLE,           /* EPERM */
	IDM_RULE_APPEND_ONLY,         /* EPERM */
	IDM_RULE_UNMAPPED_OWNER,      /* EACCES, EOVERFLOW: the mount does not map the owner or the group */
	IDM_RULE_UNMAPPED_NEW_ID,     /* EOVERFLOW: the mount maps no ID on disk to the new owner or group */
	IDM_RULE_UNKNOWN_NEW_ID,      /* EINVAL: the user namespace of the process does not have the ID */
	IDM_RULE_STICKY,              /* EPERM: a sticky directory, and files of another user */
	IDM_RULE_NOT_OWNER,           /* EPERM: the process does not own the file */
	IDM_RULE_CHANGE_OWNER,        /* EPERM: the process may not change the owner */
	IDM_RULE_CHANGE_GROUP,        /* EPERM: the process may not change the group to this one */
	IDM_RULE_NOSYMFOLLOW,         /* ELOOP: a symbolic link on a mount with nosymfollow */
	IDM_RULE_PROTECTED_LINK,      /* EACCES: a sticky directory, another user's link, and the sysctl
					 fs.protected_symlinks */
	IDM_RULE_PROTECTED_FILE       /* EACCES: a sticky directory, another user's file, O_CREAT, and the
					 sysctl fs.protected_regular or fs.protected_fifos */
};

/* The entry of mode or ACL that applies to a process. */
enum idm_access_class {
	IDM_CLASS_NONE = 0,  /* no permission was checked */
	IDM_CLASS_OWNER,
	IDM_CLASS_ACL_USER,  /* a user that the ACL names */
	IDM_CLASS_GROUP,
	IDM_CLASS_ACL_GROUP, /* a group that the ACL names */
	IDM_CLASS_OTHER
};

/* An entry of an access control list that names a user or a group. */
struct idm_acl_entry {
	uint32_t kind;        /* IDM_UID or IDM_GID */
	uint32_t id;          /* as idm_explain_inode.uid */
	uint32_t permissions; /* 4 to read, 2 to write, 1 to execute; before the mask */
};

#define IDM_EXPLAIN_NO_ID 0xffffffffU /* no ID, or an ID that stays as it is */

#define IDM_INODE_IMMUTABLE 0x1U /* chattr +i */
#define IDM_INODE_APPEND 0x2U    /* chattr +a */
#define IDM_INODE_ACL 0x4U       /* has an ACL: the group bits of `mode` are its mask */

/* A file or directory. Initialise with IDM_EXPLAIN_INODE_INIT. */
struct idm_explain_inode {
	size_t size;       /* sizeof(struct idm_explain_inode) */
	uint32_t mode;     /* st_mode, with the type */
	uint32_t uid, gid; /* as a mount without a map shows them; IDM_EXPLAIN_NO_ID: the filesystem's user
			      namespace does not have it, or the map of an overlay's layer leaves it out */
	uint32_t flags;    /* IDM_INODE_* */
	uint32_t acl_group; /* IDM_INODE_ACL: the permissions of the owning group, before the mask */
	const struct idm_acl_entry *acl; /* named users and groups, in any order; may be NULL */
	size_t n_acl;
};
#define IDM_EXPLAIN_INODE_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_explain_inode)), IDM_INIT_MEMBER(mode, 0), \
		IDM_INIT_MEMBER(uid, 0), IDM_INIT_MEMBER(gid, 0), IDM_INIT_MEMBER(flags, 0), \
		IDM_INIT_MEMBER(acl_group, 0), IDM_INIT_MEMBER(acl, NULL), IDM_INIT_MEMBER(n_acl, 0) \
	}

/*
 * Sets an inode to the values of IDM_EXPLAIN_INODE_INIT. Cannot fail. See idm_init(3).
 *
 * @inode: the struct
 * @size: its size in the caller's header: sizeof(struct idm_explain_inode)
 */
IDM_NONNULL(1)
void idm_explain_inode_init(struct idm_explain_inode *inode, size_t size);

/*
 * The facts that decide about an access. Initialise with IDM_EXPLAIN_OPTIONS_INIT, and set access and
 * inode. All IDs are those of one user namespace, such as the caller's, where a comment says no other.
 */
struct idm_explain_options {
	size_t size; /* sizeof(struct idm_explain_options) */
	enum idm_access access;
	uint32_t attr;                             /* IDM_ATTR_* of the mount */
	const struct idm_explain_inode *inode;     /* the file or directory */
	const struct idm_explain_inode *directory; /* IDM_ACCESS_UNLINK, IDM_ACCESS_FOLLOW and
						      IDM_ACCESS_OVERWRITE: the directory that it is in */
	const struct idm_map *mount_map; /* of the mount, as idm_list_path() reports it; NULL: none */
	const struct idm_map *fs_map;    /* of the user namespace that mounted the filesystem, inside to
					    outside; NULL: the initial one */
	const struct idm_map *userns_map; /* of the process's user namespace, inside to outside; NULL: the
					     initial one */
	uint64_t capabilities;    /* effective ones of the process, 1 << CAP_*, in its user namespace */
	uint64_t fs_capabilities; /* those that it has in the filesystem's user namespace */
	const uint32_t *groups;   /* supplementary groups of the process */
	size_t n_groups;
	uint32_t fsuid, fsgid;     /* of the process: as a rule the effective IDs */
	uint32_t new_uid, new_gid; /* IDM_ACCESS_CHOWN: the arguments of chown(2), inside the process's user
				      namespace; IDM_EXPLAIN_NO_ID: unchanged */
	bool fs_readonly;          /* the filesystem or its subvolume, not the mount, is read-only */
	uint32_t protected_symlinks, protected_regular,
		protected_fifos;   /* the sysctls in /proc/sys/fs; the first is 0 for a link on the way, not
				      at the end of a path, as the kernel protects none there */
};
#define IDM_EXPLAIN_OPTIONS_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_explain_options)), \
		IDM_INIT_MEMBER(access, IDM_ACCESS_READ), IDM_INIT_MEMBER(attr, 0), \
		IDM_INIT_MEMBER(inode, NULL), IDM_INIT_MEMBER(directory, NULL), \
		IDM_INIT_MEMBER(mount_map, NULL), IDM_INIT_MEMBER(fs_map, NULL), \
		IDM_INIT_MEMBER(userns_map, NULL), IDM_INIT_MEMBER(capabilities, 0), \
		IDM_INIT_MEMBER(fs_capabilities, 0), IDM_INIT_MEMBER(groups, NULL), \
		IDM_INIT_MEMBER(n_groups, 0), IDM_INIT_MEMBER(fsuid, 0), IDM_INIT_MEMBER(fsgid, 0), \
		IDM_INIT_MEMBER(new_uid, IDM_EXPLAIN_NO_ID), \
		IDM_INIT_MEMBER(new_gid, IDM_EXPLAIN_NO_ID), IDM_INIT_MEMBER(fs_readonly, false), \
		IDM_INIT_MEMBER(protected_symlinks, 0), IDM_INIT_MEMBER(protected_regular, 0), \
		IDM_INIT_MEMBER(protected_fifos, 0) \
	}

/*
 * Sets facts to the values of IDM_EXPLAIN_OPTIONS_INIT. Cannot fail. See idm_init(3).
 *
 * @facts: the struct
 * @size: its size in the caller's header: sizeof(struct idm_explain_options)
 */
IDM_NONNULL(1)
void idm_explain_options_init(struct idm_explain_options *facts, size_t size);

/* The result of idm_explain(). Initialise with IDM_EXPLAIN_RESULT_INIT. */
struct idm_explain_result {
	size_t size;               /* sizeof(struct idm_explain_result) */
	enum idm_access_rule rule; /* the first rule that refuses; IDM_RULE_NONE: the access is allowed */
	int errnum;                /* the errno of the system call; 0 if it is allowed */
	enum idm_access_class entry; /* the entry of mode or ACL that applied in the last check */
	uint32_t entry_id;         /* IDM_CLASS_ACL_*: the ID of that entry, as the mount shows it */
	uint32_t missing;          /* IDM_RULE_PERMISSION: the bits that the entry lacks: 4, 2, 1 */
	uint32_t kinds;            /* IDM_RULE_*_OWNER, IDM_RULE_*_NEW_ID: IDM_UID, IDM_GID or both */
	int capability;            /* CAP_* that would allow it or, if it is allowed, does; -1: none */
	uint32_t uid, gid;         /* the inode's owner and group, as the mount shows them; IDM_EXPLAIN_NO_ID:
				      the mount does not map it */
	bool on_directory;         /* the rule is about the directory, not the inode */
	bool capable;              /* the process has `capability`; if refused, an ID of the inode does not
				      exist in the process's user namespace */
};
#define IDM_EXPLAIN_RESULT_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_explain_result)), \
		IDM_INIT_MEMBER(rule, IDM_RULE_NONE), IDM_INIT_MEMBER(errnum, 0), \
		IDM_INIT_MEMBER(entry, IDM_CLASS_NONE), IDM_INIT_MEMBER(entry_id, 0), \
		IDM_INIT_MEMBER(missing, 0), IDM_INIT_MEMBER(kinds, 0), IDM_INIT_MEMBER(capability, -1), \
		IDM_INIT_MEMBER(uid, 0), IDM_INIT_MEMBER(gid, 0), IDM_INIT_MEMBER(on_directory, false), \
		IDM_INIT_MEMBER(capable, false) \
	}

/*
 * Sets a result to the values of IDM_EXPLAIN_RESULT_INIT. Cannot fail. See idm_init(3).
 *
 * @result: the struct
 * @size: its size in the caller's header: sizeof(struct idm_explain_result)
 */
IDM_NONNULL(1)
void idm_explain_result_init(struct idm_explain_result *result, size_t size);

/*
 * Predicts from facts whether the kernel allows an access, and by which rule it refuses. Makes no system
 * call. Does not know security modules, FUSE servers and NFS servers, which can also refuse.
 *
 * @facts: the inode, its mount and the process
 * @result: receives the verdict; the caller sets its size
 * @err: may be NULL
 *
 * Returns: 0, for an access that is refused too
 * Errors:
 *   -EINVAL: facts that are missing, invalid, or contradict each other
 *   -EINVAL: an unknown access, or a size that is too small
 *   -E2BIG: a size of a newer library, with unknown members set
 * Thread safety: safe
 */
IDM_NONNULL(1, 2)
int idm_explain(const struct idm_explain_options *facts, struct idm_explain_result *result,
		struct idm_error *err);

/*
 * Copies facts that the library provided, to change them and to judge them by idm_explain(). An assignment
 * is no such copy: the library's struct can be shorter or longer than the program's. Members that one of
 * them lacks keep the value that they have in `copy`. The copy has the pointers of the facts.
 *
 * @facts: idm_explain_info.facts, or another copy
 * @copy: begins as IDM_EXPLAIN_OPTIONS_INIT; keeps its size
 *
 * Thread safety: safe
 */
IDM_NONNULL(1, 2)
void idm_explain_copy(const struct idm_explain_options *facts, struct idm_explain_options *copy);

/* What the library could not see of a place: idm_explain_info.unseen. A verdict without it can be wrong. */
#define IDM_UNSEEN_OWNER 0x1U             /* an ID on disk: neither the mount nor the kernel shows it */
#define IDM_UNSEEN_MOUNT 0x2U             /* the mount, but for its attributes */
#define IDM_UNSEEN_MOUNT_MAP 0x4U         /* entries of the mount's map; see idm_explain(3) */
#define IDM_UNSEEN_ACL 0x8U               /* the access control list */
#define IDM_UNSEEN_FLAGS 0x10U            /* the filesystem does not report IDM_INODE_IMMUTABLE */
#define IDM_UNSEEN_FILE_CAPABILITIES 0x20U
#define IDM_UNSEEN_FS_USERNS 0x40U        /* the user namespace that mounted the filesystem, taken for the
                                             initial one, or fs_capabilities, taken for none */
#define IDM_UNSEEN_LAYERS 0x80U           /* an overlay also asks its layers, as the process that mounted it */
#define IDM_UNSEEN_SERVER 0x100U          /* a server (FUSE, NFS, SMB, 9P) also decides */
#define IDM_UNSEEN_PROCESS_IDS 0x200U     /* IDs of the process that the caller's user namespace lacks */
#define IDM_UNSEEN_ROOT 0x400U            /* the root directory of the process; taken for the caller's */
#define IDM_UNSEEN_LSM 0x800U             /* a security module that has a label for the process also decides */
#define IDM_UNSEEN_FS_RULES 0x1000U       /* the filesystem has rules of its own, as procfs and sysfs */
#define IDM_UNSEEN_PROTECTION 0x2000U     /* the sysctls fs.protected_*, which matter here; taken for 2 */

/* A place on the way to a path, for idm_explain(). The pointers are valid during the callback. */
struct idm_explain_info {
	size_t size;      /* sizeof(struct idm_explain_info) in the library; see IDM_HAS() */
	const char *path; /* without symbolic links; from the root or working directory of the process */
	const struct idm_explain_options *facts; /* access is IDM_ACCESS_EXECUTE of a directory on the way,
						    IDM_ACCESS_FOLLOW of a link, else IDM_ACCESS_READ;
						    idm_explain_copy() makes a copy that can be changed;
						    directory is NULL of a directory on the way, of a
						    mount point, and of a path that does not end in a
						    name */
	const struct idm_mount_info *mount; /* NULL: IDM_UNSEEN_MOUNT */
	uint64_t bounding_set;              /* capabilities that a program of the process can get at most */
	uint64_t file_capabilities;         /* permitted ones that the file has for a program */
	uint32_t file_capabilities_root;    /* the root ID of the user namespace that they are for */
	uint32_t unseen;                    /* IDM_UNSEEN_* */
	int fd;                             /* O_PATH; the library closes it */
	bool is_last;                       /* it is the path itself, not a directory or link on the way */
	int fs_userns_fd; /* the user namespace that mounted the filesystem, of which fs_map
			     is the map; -1: the initial one, or IDM_UNSEEN_FS_USERNS; the
			     library closes it */
	uint64_t file_capabilities_inheritable; /* those that a program gets if the process has them, too */
	bool file_capabilities_effective; /* the kernel does not execute the file if the process cannot get all
					     of file_capabilities: EPERM */
};

#define IDM_EXPLAIN_NOFOLLOW 0x8U /* a symbolic link at the end of the path is not followed */

/*
 * Collects the facts for idm_explain() about a process and a path. Calls back for each directory on the way,
 * from the first on, for each symbolic link that is followed, and for the path itself. Opens files with
 * O_PATH only, and changes nothing.
 *
 * @pid: the process, in the caller's PID namespace; 0 for the calling thread
 * @path: as the process sees it, from its root directory or, if relative, its working directory
 * @flags: 0 or IDM_EXPLAIN_NOFOLLOW
 * @each: called for each place; not 0 stops
 * @data: passed to `each`
 * @err: may be NULL
 *
 * Returns: 0, or the first other value of `each`
 * Errors:
 *   -EINVAL: an unknown flag, or a negative `pid`
 *   -ESRCH: the process does not exist, or has exited
 *   -ENOENT: the path is empty, or leads to no file
 *   -EACCES: the caller may not search a directory; `each` was called for it; IDM_STEP_LOOK_UP_PATH
 *   -EACCES: a FUSE filesystem does not admit the caller; IDM_STEP_LOOK_UP_PATH
 *   -EACCES: a security module closes the process's files in /proc
 *   -ENOENT, -EPERM: /proc does not show the process, and the caller may not make a private one
 *   -EXDEV: another mount covers a part of the process's /proc directory
 *   -EOPNOTSUPP: a symbolic link in procfs, which depends on the process that reads it
 *   -ENOTDIR, -ELOOP, -ENAMETOOLONG: as open(2)
 *   -EMFILE, -ENFILE, -ENOMEM: no more descriptors or memory
 * Requires: nothing for the caller's own processes; CAP_SYS_PTRACE for the root directory of others;
 *   IDM_UNSEEN_* report what a privilege would add; Linux 5.8
 * Thread safety: safe
 */
IDM_NONNULL(2, 4)
int idm_explain_path(pid_t pid, const char *path, unsigned int flags,
		     int (*each)(const struct idm_explain_info *place, void *data), void *data,
		     struct idm_error *err);

/*
 * The places of idm_explain_path(), as copies. All that they point to is valid until the iterator is freed. So
 * are their descriptors. One thread at a time may use an iterator.
 */
struct idm_explain_iter;

/*
 * Collects the facts about a process and a path as idm_explain_path() does, for idm_explain_iter_next().
 * The iterator holds a descriptor for each place. If the call fails, the places before the failure are lost.
 *
 * @pid, @path, @flags: as for idm_explain_path()
 * @iter: receives the iterator; the caller releases it with idm_explain_iter_free()
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   as idm_explain_path()
 * Requires: as idm_explain_path()
 * Thread safety: safe
 */
IDM_MUST_USE IDM_NONNULL(2, 4)
int idm_explain_iter_new(pid_t pid, const char *path, unsigned int flags, struct idm_explain_iter **iter,
			 struct idm_error *err);

/*
 * Returns the next place.
 *
 * @iter: the iterator
 *
 * Returns: the place, which belongs to the iterator; NULL after the last one
 */
IDM_NONNULL(1)
const struct idm_explain_info *idm_explain_iter_next(struct idm_explain_iter *iter);

/*
 * Releases an iterator and its places, and closes their descriptors. Cannot fail.
 *
 * @iter: may be NULL
 */
void idm_explain_iter_free(struct idm_explain_iter *iter);

/* ---- processes ------------------------------------------------------------------------------- */

/*
 * How a process exited. The layout is fixed: the caller provides it, one for a call. It has what
 * waitid(2) reports. Other facts about an exit would come by a new function.
 */
struct idm_exit_info {
	pid_t pid;  /* in the caller's PID namespace */
	int code;   /* CLD_EXITED, CLD_KILLED or CLD_DUMPED of <signal.h>, or IDM_EXIT_LOST */
	int status; /* the exit status; of CLD_KILLED and CLD_DUMPED the signal */
};

/*
 * New namespaces for a child; the values are those of CLONE_NEW* in <sched.h>. A user one comes by a map. A
 * time namespace can only be joined, by join_fds: idm_child_start() rejects IDM_NS_TIME.
 */
#define IDM_NS_TIME 0x00000080U
#define IDM_NS_MOUNT 0x00020000U
#define IDM_NS_CGROUP 0x02000000U
#define IDM_NS_UTS 0x04000000U
#define IDM_NS_IPC 0x08000000U
#define IDM_NS_PID 0x20000000U
#define IDM_NS_NET 0x40000000U

/* Bits 0 to 6 and 8 to 11: IDM_NS_TIME has bit 7. struct idm_child_mount has 12 to 15 of its own. */
#define IDM_CHILD_SEARCH_PATH 0x001U   /* a path without "/" is looked up in the PATH of envp */
#define IDM_CHILD_KEEP_FDS 0x002U      /* descriptors that are not close-on-exec stay open */
#define IDM_CHILD_RESET_SIGNALS 0x004U /* no signal is blocked or ignored; without: as exec leaves them */
#define IDM_CHILD_SESSION 0x008U       /* in a new session, without a terminal unless one is given */
#define IDM_CHILD_SET_GROUPS 0x010U    /* the supplementary groups are exactly those given */
#define IDM_CHILD_NO_NEW_PRIVS 0x020U  /* see PR_SET_NO_NEW_PRIVS in prctl(2) */
#define IDM_CHILD_UNDER_INIT 0x040U    /* below a small init, which is process 1 (with IDM_NS_PID) */
#define IDM_CHILD_DIE_WITH_THREAD 0x100U /* is killed (SIGKILL) when the thread that started it exits */
#define IDM_CHILD_NEW_KEYRING 0x200U     /* with an empty session keyring, see keyctl(2) */
#define IDM_CHILD_DISABLE_USERNS 0x400U  /* no user namespaces below its own (user.max_user_namespaces = 0) */
#define IDM_CHILD_NO_KEYRINGS 0x800U     /* add_key(2), request_key(2) and keyctl(2) fail with ENOSYS */

/* The program's descriptor `to` is the caller's `from`; -1: `to` is closed. */
struct idm_child_fd {
	int from;
	int to;
};

/* Bits 12 to 15. */
#define IDM_CHILD_MOUNT_OPTIONAL 0x1000U /* skipped if the target is missing */
#define IDM_CHILD_MOUNT_REBIND 0x2000U   /* no filesystem, no tree: a copy of what is at target, over it */
#define IDM_CHILD_MOUNT_MKDIR 0x4000U    /* create the target if it is missing, as IDM_ATTACH_MKDIR does */
#define IDM_CHILD_MOUNT_FOLLOW 0x8000U   /* the target may be a symbolic link */

/*
 * A mount in the child's mount namespace, below its root: a new filesystem, a detached tree, or a copy of
 * what is at the target. Set unused fields to 0, and tree_fd to -1. Targets are resolved below the root.
 * ".." and the root itself are rejected. idm_child_start(3) describes symbolic links.
 *
 * The struct may grow at its end. idm_child_options.mount_size is the size of each element of the array.
 * A member of a later version is off if it is 0.
 */
struct idm_child_mount {
	const char *target;  /* absolute, as the child sees it */
	const char *fstype;  /* "proc", "tmpfs", ...; NULL: the tree */
	const char *source;  /* NULL: the fstype */
	const char *options; /* of the filesystem, separated by commas: "mode=755,size=1m"; or NULL */
	uint32_t attr;       /* IDM_ATTR_* of a new filesystem's mount, or of the copy */
	unsigned int flags;  /* IDM_CHILD_MOUNT_* */
	int tree_fd;
};
#define IDM_CHILD_MOUNT_INIT \
	{ \
		IDM_INIT_MEMBER(target, NULL), IDM_INIT_MEMBER(fstype, NULL), IDM_INIT_MEMBER(source, NULL), \
		IDM_INIT_MEMBER(options, NULL), IDM_INIT_MEMBER(attr, 0), IDM_INIT_MEMBER(flags, 0), \
		IDM_INIT_MEMBER(tree_fd, -1) \
	}

/*
 * Sets a mount to the values of IDM_CHILD_MOUNT_INIT. Cannot fail. See idm_init(3).
 *
 * @mount: the struct
 * @size: its size in the caller's header: sizeof(struct idm_child_mount)
 */
IDM_NONNULL(1)
void idm_child_mount_init(struct idm_child_mount *mount, size_t size);

/* Capabilities as 64-bit sets, 1 << CAP_* of <linux/capability.h>. */
struct idm_capabilities {
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
	uint64_t bounding;
	uint64_t ambient;
};

/* As a uid or gid: 0 in another user namespace, if it has that; else the caller's. */
#define IDM_CHILD_KEEP_ID 0xffffffffU

/* What to start, and how. Initialise with IDM_CHILD_OPTIONS_INIT, and set path and argv. */
struct idm_child_options {
	size_t size; /* sizeof(struct idm_child_options) */
	uint64_t flags;          /* IDM_CHILD_* */
	unsigned int namespaces; /* IDM_NS_*: new ones, owned by the user namespace below */
	int program_fd;          /* what is executed, as a descriptor; path is then its name only. -1: path */
	const char *path;        /* inside the new root */
	const char *const *argv; /* with NULL at its end */
	const char *const *envp; /* the same; NULL: the caller's environment */
	const char *cwd;         /* inside the new root; NULL: there "/", and without one the caller's */
	const struct idm_child_fd *fds; /* 0, 1 and 2 are the caller's unless this says otherwise */
	size_t n_fds;
	const struct idm_map *map; /* a new user namespace with this map; NULL: none */
	const int *join_fds;       /* namespaces to join, of any kind, in any order */
	size_t n_join_fds;
	int root_fd;               /* detached tree that becomes "/" (with IDM_NS_MOUNT); -1: none */
	enum idm_propagation propagation; /* of all that a new mount namespace has: private, or slave */
	const struct idm_child_mount *mounts; /* in this order (with IDM_NS_MOUNT) */
	size_t n_mounts;
	size_t mount_size;      /* sizeof(struct idm_child_mount); the initialiser sets it */
	const char *hostname;   /* with IDM_NS_UTS; NULL: as it is */
	uint32_t uid;           /* or IDM_CHILD_KEEP_ID */
	uint32_t gid;           /* or IDM_CHILD_KEEP_ID */
	const uint32_t *groups; /* with IDM_CHILD_SET_GROUPS */
	size_t n_groups;
	const struct idm_capabilities *capabilities; /* NULL: as the kernel makes them of the IDs */
	pid_t process_group; /* 0: the caller's; -1: one of its own; else that one */
	int terminal_fd;     /* becomes the controlling one (with IDM_CHILD_SESSION); -1: none */
	int cgroup_fd;       /* directory of a cgroup2 that the child is born in; -1: the caller's */
	pid_t *pid;          /* receives the process's number in the caller's PID namespace; may be NULL */
	int seccomp_fd;      /* a file that is read to its end: struct sock_filter's for seccomp(2). -1: none */
	int staging_fd;      /* of idm_staging_open(), copied as mount namespace (with root_fd); -1: the caller's */
};
#define IDM_CHILD_OPTIONS_INIT \
	{ \
		IDM_INIT_MEMBER(size, sizeof(struct idm_child_options)), IDM_INIT_MEMBER(flags, 0), \
		IDM_INIT_MEMBER(namespaces, 0), IDM_INIT_MEMBER(program_fd, -1), IDM_INIT_MEMBER(path, NULL), \
		IDM_INIT_MEMBER(argv, NULL), IDM_INIT_MEMBER(envp, NULL), IDM_INIT_MEMBER(cwd, NULL), \
		IDM_INIT_MEMBER(fds, NULL), IDM_INIT_MEMBER(n_fds, 0), \
		IDM_INIT_MEMBER(map, NULL), IDM_INIT_MEMBER(join_fds, NULL), IDM_INIT_MEMBER(n_join_fds, 0), \
		IDM_INIT_MEMBER(root_fd, -1), IDM_INIT_MEMBER(propagation, IDM_PROPAGATION_DEFAULT), \
		IDM_INIT_MEMBER(mounts, NULL), IDM_INIT_MEMBER(n_mounts, 0), \
		IDM_INIT_MEMBER(mount_size, sizeof(struct idm_child_mount)), \
		IDM_INIT_MEMBER(hostname, NULL), IDM_INIT_MEMBER(uid, IDM_CHILD_KEEP_ID), \
		IDM_INIT_MEMBER(gid, IDM_CHILD_KEEP_ID), IDM_INIT_MEMBER(groups, NULL), \
		IDM_INIT_MEMBER(n_groups, 0), IDM_INIT_MEMBER(capabilities, NULL), \
		IDM_INIT_MEMBER(process_group, 0), IDM_INIT_MEMBER(terminal_fd, -1), \
		IDM_INIT_MEMBER(cgroup_fd, -1), IDM_INIT_MEMBER(pid, NULL), \
		IDM_INIT_MEMBER(seccomp_fd, -1), IDM_INIT_MEMBER(staging_fd, -1) \
	}

/*
 * Sets options to the values of IDM_CHILD_OPTIONS_INIT. Cannot fail. See idm_init(3).
 *
 * @options: the struct
 * @size: its size in the caller's header: sizeof(struct idm_child_options)
 * @mount_size: that of an element of `mounts`: sizeof(struct idm_child_mount)
 */
IDM_NONNULL(1)
void idm_child_options_init(struct idm_child_options *options, size_t size, size_t mount_size);

/*
 * Starts a program as a child of the caller. On return the program is being executed. Detached trees are
 * used up, also if the child fails after it attached them. idm_child_start(3) describes descriptors,
 * credentials, the init, the order of all steps, locked mounts, and which processes another wait() can
 * reap.
 *
 * @options: what to start, and how; the program gets the strings unchanged
 * @err: may be NULL; has the step and subject that failed in the child
 *
 * Returns: the pidfd, which the caller closes
 * Errors:
 *   for the program: the errors of execve(2); for the working directory: those of chdir(2)
 *   -EINVAL: unknown options, options that contradict each other, or a seccomp filter of the wrong size
 *   -EINVAL: an array is NULL, and its number is not 0
 *   -EINVAL: an option that the kernel rejects
 *   -E2BIG: the arguments are too long, or options of a newer library
 *   -EBADF: a descriptor that is not open, may not have that number, or is below -1
 *   -EBADF: -1 in `join_fds` or as `to` of `fds`
 *   -EXDEV: the working directory is outside the root
 *   -ELOOP: a mount's target is a symbolic link
 *   -EBUSY: a mount's target is the root itself
 *   -ENOTTY: `terminal_fd` is not a terminal
 *   -EACCES: vm.memfd_noexec; a seccomp filter with neither CAP_SYS_ADMIN nor IDM_CHILD_NO_NEW_PRIVS
 *   -EPERM: a privilege is missing, or a seccomp filter or a security module refuses a call
 *   -EAGAIN: RLIMIT_NPROC, kernel.pid_max or the cgroup's pids.max
 *   -ENOSPC: a limit on namespaces, or fs.mount-max
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ESRCH: the child was killed before it executed the program
 *   -EBUSY: the calling thread unshared a PID namespace that has no init
 *   -EOPNOTSUPP: an architecture other than x86, ARM, ppc64el, riscv64 and s390x
 *   -ENOSYS: Linux before 5.9, or a seccomp filter refuses a call
 *   -ENOMEM: out of memory, or the PID namespace to join has lost its init
 *   for a map: also the errors of idm_userns_open()
 *   for a cgroup, a namespace or a mount: also the errors of clone3(2), setns(2) and mount(2)
 * Requires: what the namespaces, IDs and capabilities require, in the caller's user namespace; for a map
 *   what idm_userns_open() requires; Linux 5.9, for a tree or a rebind 5.12
 * Thread safety: safe
 */
IDM_MUST_USE IDM_NONNULL(1)
int idm_child_start(const struct idm_child_options *options, struct idm_error *err);

/*
 * Waits until a process has exited, and reaps it. From Linux 6.15 on the function reads a status that
 * another wait consumed from the pidfd. The same holds for a process that is not a child of the caller.
 *
 * @pidfd: the process
 * @timeout_ms: milliseconds; -1: no limit, 0: does not wait
 * @exit: receives the result; its pid is 0 if the status is from the pidfd; may be NULL
 * @err: may be NULL
 *
 * Returns: 0 if the process has exited
 * Errors:
 *   -ETIMEDOUT: the process has not exited
 *   -ECHILD: before Linux 6.15, another wait consumed the status, or the process is not a child
 *   -EBADF: `pidfd` is not a pidfd
 *   -EINVAL: `timeout_ms` is below -1, or the process is outside the caller's PID namespace
 *   -EMFILE, -ENFILE, -ENOSPC, -ENOMEM: only with a timeout, while another process traces the child
 * Requires: no privilege; Linux 5.4
 * Thread safety: safe, also for one pidfd
 */
int idm_child_wait(int pidfd, int timeout_ms, struct idm_exit_info *exit, struct idm_error *err);

/*
 * Sends a signal to a process.
 *
 * @pidfd: the process
 * @signal: 0 only checks whether the process exists
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -ESRCH: the process has been reaped
 *   -EPERM: the caller may not signal it
 *   -EINVAL: no such signal, or the process is outside the caller's PID namespace
 *   -EBADF: `pidfd` is not a pidfd
 * Requires: Linux 5.1
 * Thread safety: safe
 */
int idm_child_signal(int pidfd, int signal, struct idm_error *err);

/*
 * Sends a signal to the process group that the child leads, as a terminal does with typed keys. The child
 * leads one with IDM_CHILD_SESSION, or process_group -1. Otherwise the child gets the signal alone. With
 * IDM_CHILD_UNDER_INIT the init sends the signal to the program's group. See idm_child_start(3) for
 * SIGTSTP.
 *
 * @pidfd, @signal, @err: as for idm_child_signal()
 *
 * Returns: 0
 * Errors:
 *   as idm_child_signal()
 * Requires: Linux 6.9; before that a child without an init gets the signal alone
 * Thread safety: safe
 */
int idm_child_signal_group(int pidfd, int signal, struct idm_error *err);

/* ---- reaper ---------------------------------------------------------------------------------- */

/*
 * The child exited, but its status was consumed by another wait(). Before Linux 6.15 the status is then
 * lost, and `status` is -1. A fork server's children lose it only if the fork server itself is killed.
 */
#define IDM_EXIT_LOST 0

/*
 * A reaper reports the exit of each child that was added to it, once. It watches pidfds and counts no
 * SIGCHLD. It waits for no other child. See idm_reaper_new(3) for what other waits in the process can do.
 *
 * Any number of threads may call all functions but idm_reaper_free() at once. A reaper belongs to the
 * process that created it. In a forked child the functions with `err` fail with -ECHILD. The child may free
 * the reaper if no other thread could have been inside it at the fork.
 */
struct idm_reaper;

/*
 * Creates a reaper, which keeps one descriptor.
 *
 * @reaper: receives the reaper; the caller releases it with idm_reaper_free()
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ENOMEM: out of memory
 * Thread safety: safe
 */
IDM_MUST_USE IDM_NONNULL(1)
int idm_reaper_new(struct idm_reaper **reaper, struct idm_error *err);

/*
 * Closes the descriptors of a reaper and releases it. Cannot fail. Watched children continue, and other
 * code can wait for them. A fork server's children become orphans.
 *
 * @reaper: may be NULL
 *
 * Thread safety: no other call may use the reaper at the same time
 */
void idm_reaper_free(struct idm_reaper *reaper);

/*
 * Returns the descriptor for the caller's event loop. It is readable while idm_reaper_next() can deliver an
 * exit, and sometimes without one. Cannot fail.
 *
 * @reaper: the reaper, which owns the descriptor
 *
 * Returns: the descriptor
 * Thread safety: safe, also for one reaper
 */
IDM_NONNULL(1)
int idm_reaper_fd(const struct idm_reaper *reaper);

/*
 * How a child is watched: one flag, or none. Without a flag idm_reaper_next() delivers the exit. A reaper's
 * flags have bits 18 to 23, which struct idm_child_options does not use.
 */
#define IDM_REAPER_ADD_HOLD 0x040000U  /* the exit is kept for idm_reaper_wait(); a zombie until then */
#define IDM_REAPER_ADD_SPARE 0x080000U /* other code waits for it: it does not count as an orphan */

/*
 * Watches a child, which may have exited already. The reaper keeps a duplicate of the pidfd until it
 * delivers the exit. If another wait has reaped the child, the pid of that exit is 0.
 *
 * @reaper: the reaper
 * @pidfd: the child
 * @flags: 0, IDM_REAPER_ADD_HOLD or IDM_REAPER_ADD_SPARE, which is for programs that adopt
 * @data: delivered with the exit; with IDM_REAPER_ADD_HOLD the child's name, unique among held children
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -ECHILD: not a child of this process, or the reaper belongs to another process
 *   -ESRCH: before Linux 6.15, the child exited, and another wait consumed its status
 *   -EEXIST: this reaper watches the child already; before Linux 6.9 only detected where the library can have
 *            a procfs
 *   -EEXIST: this reaper holds another child by this name
 *   -EBADF: `pidfd` is not open
 *   -EINVAL: `pidfd` is not a pidfd, or one of a thread (PIDFD_THREAD)
 *   -EINVAL: an unknown flag, or both flags
 *   -EMFILE: no more descriptors
 *   -ENOSPC: fs.epoll.max_user_watches
 *   -ENOMEM: out of memory
 * Requires: no privilege; Linux 5.4
 * Thread safety: safe, also for one reaper
 */
IDM_NONNULL(1)
int idm_reaper_add(struct idm_reaper *reaper, int pidfd, unsigned int flags, void *data,
		   struct idm_error *err);

/*
 * Delivers one exit. Every exit is delivered once, to one caller. Signals do not interrupt the call. If it
 * fails, nothing is lost, and the next call retries.
 *
 * @reaper: the reaper
 * @timeout_ms: milliseconds; -1: no limit, 0: does not wait
 * @exit: receives the result
 * @data: receives the data of the child; may be NULL
 * @err: may be NULL
 *
 * Returns: 0 if an exit was delivered
 * Errors:
 *   -ETIMEDOUT: no child has exited
 *   -EINVAL: `timeout_ms` is below -1
 *   -ECHILD: the reaper belongs to another process
 *   with adoption: also -EMFILE, -ENFILE, -ENOMEM, and -ENOENT and -EPERM as idm_reaper_adopt()
 * Requires: as idm_reaper_add(), with adoption as idm_reaper_adopt()
 * Thread safety: safe, also for one reaper
 */
IDM_NONNULL(1, 3)
int idm_reaper_next(struct idm_reaper *reaper, int timeout_ms, struct idm_exit_info *exit, void **data,
		    struct idm_error *err);

/*
 * Delivers the exit of one child that was added with IDM_REAPER_ADD_HOLD. One thread receives it.
 *
 * @reaper: the reaper
 * @data: the child's name
 * @timeout_ms, @exit, @err: as for idm_reaper_next()
 *
 * Returns: 0 if the exit was delivered
 * Errors:
 *   -ETIMEDOUT: the child has not exited
 *   -EBUSY: another thread waits for this child
 *   -ESRCH: no child is held by that name, or its exit was delivered before
 *   -EINVAL: `timeout_ms` is below -1
 *   -ECHILD: the reaper belongs to another process
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ENOSPC: fs.epoll.max_user_watches
 *   -ENOMEM: out of memory
 * Requires: as idm_reaper_add()
 * Thread safety: safe, also for one reaper
 */
IDM_NONNULL(1, 4)
int idm_reaper_wait(struct idm_reaper *reaper, void *data, int timeout_ms, struct idm_exit_info *exit,
		    struct idm_error *err);

/* Children from before idm_reaper_adopt() are orphans too. For a program that was started by exec. */
#define IDM_REAPER_ADOPT_INHERIT 0x100000U

/*
 * Delivers the exits of orphans as well. Orphans are children that the kernel gave to this process because
 * their parents exited. All threads must block SIGCHLD. idm_reaper_new(3) describes which exited children
 * count as orphans, and which children other code must add.
 *
 * @reaper: the reaper
 * @flags: 0 or IDM_REAPER_ADOPT_INHERIT
 * @data: delivered with every orphan
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EINVAL: the caller is neither process 1 nor a subreaper (PR_SET_CHILD_SUBREAPER in prctl(2))
 *   -EINVAL: SIGCHLD is ignored, or not blocked in the calling thread
 *   -EINVAL: an unknown flag
 *   -EALREADY: the reaper adopts already
 *   -ECHILD: the reaper belongs to another process
 *   -ENOENT, -EPERM: no procfs of this PID namespace with "children" files, at /proc or made by the library
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ENOSPC: fs.epoll.max_user_watches
 *   -ENOMEM: out of memory
 * Requires: without a usable /proc CAP_SYS_ADMIN; Linux 5.9
 * Thread safety: safe, also for one reaper
 */
IDM_NONNULL(1)
int idm_reaper_adopt(struct idm_reaper *reaper, unsigned int flags, void *data, struct idm_error *err);

/* The fork server is a subreaper. Orphans below it are delivered too, and cannot be mistaken for others. */
#define IDM_REAPER_FORKSERVER_ORPHANS 0x400000U

/*
 * Starts this reaper's fork server: a process that starts children for the program, and reaps them. No wait
 * in the program can consume a status of these children, on any kernel. The library executes the fork server
 * from memory, so it has no copy of the caller's memory. It is an orphan: a subreaper and process 1 get it as
 * a child. It exits with the reaper or the program. idm_reaper_new(3) lists what it keeps of this moment.
 *
 * @reaper: the reaper
 * @flags: 0 or IDM_REAPER_FORKSERVER_ORPHANS
 * @data: delivered with the orphans of IDM_REAPER_FORKSERVER_ORPHANS
 * @err: may be NULL
 *
 * Returns: 0
 * Errors:
 *   -EALREADY: the reaper has a fork server
 *   -EBUSY: the calling thread unshared a PID namespace that has no init
 *   -EINVAL: an unknown flag
 *   -ECHILD: the reaper belongs to another process
 *   -ESRCH: the fork server was killed at once
 *   -EACCES: the kernel executes no program in memory (vm.memfd_noexec)
 *   -ENOSYS: Linux before 5.9, or a seccomp filter refuses a call
 *   -EPERM: a seccomp filter refuses a call, or the kernel permits the caller no ambient capabilities
 *   -EAGAIN: limits, as fork(2)
 *   -EMFILE, -ENFILE: no more descriptors
 *   -ENOSPC: fs.epoll.max_user_watches
 *   -ENOMEM: out of memory
 * Requires: no privilege; Linux 5.9
 * Thread safety: safe, also for one reaper
 */
IDM_NONNULL(1)
int idm_reaper_start_forkserver(struct idm_reaper *reaper, unsigned int flags, void *data,
				struct idm_error *err);

/*
 * Starts a program as idm_child_start() does, as a child of the fork server, and watches it.
 * idm_reaper_new(3) lists the options that are the caller's and those that are the fork server's.
 *
 * @reaper: the reaper
 * @options: as for idm_child_start()
 * @flags, @data: as for idm_reaper_add(), without IDM_REAPER_ADD_SPARE
 * @err: may be NULL
 *
 * Returns: the program's pidfd, which the caller closes
 * Errors:
 *   -ECHILD: the reaper has no fork server, or belongs to another process
 *   -ECONNRESET: the fork server has exited
 *   -ESRCH: the program was killed before it was executed
 *   -EEXIST: another child is held by the same data
 *   -EINVAL: IDM_CHILD_KEEP_FDS or IDM_CHILD_DIE_WITH_THREAD, which require a child of the caller
 *   -EINVAL: over 250 different descriptors, or an unknown flag
 *   -EINVAL: a process group, if the fork server is in another PID namespace
 *   -EINVAL: namespaces, IDs or capabilities, if the caller changed its user namespace since the fork
 *            server's start
 *   -ENOSPC: fs.epoll.max_user_watches
 *   otherwise: as idm_child_start()
 * Requires: as idm_child_start(), of the fork server
 * Thread safety: safe, also for one reaper
 */
IDM_MUST_USE IDM_NONNULL(1)
int idm_reaper_start(struct idm_reaper *reaper, const struct idm_child_options *options,
		     unsigned int flags, void *data, struct idm_error *err);

/* ---- cleanup --------------------------------------------------------------------------------- */

/*
 * For __attribute__((cleanup)): release what a variable holds at the end of its scope. NULL and negative
 * descriptors are allowed.
 */
static inline void idm_map_freep(struct idm_map **map)
{
	idm_map_free(*map);
}

static inline void idm_userns_cache_freep(struct idm_userns_cache **cache)
{
	idm_userns_cache_free(*cache);
}

static inline void idm_upper_cache_freep(struct idm_upper_cache **cache)
{
	idm_upper_cache_free(*cache);
}

static inline void idm_plan_freep(struct idm_plan **plan)
{
	idm_plan_free(*plan);
}

static inline void idm_reaper_freep(struct idm_reaper **reaper)
{
	idm_reaper_free(*reaper);
}

static inline void idm_list_iter_freep(struct idm_list_iter **iter)
{
	idm_list_iter_free(*iter);
}

static inline void idm_feature_iter_freep(struct idm_feature_iter **iter)
{
	idm_feature_iter_free(*iter);
}

static inline void idm_explain_iter_freep(struct idm_explain_iter **iter)
{
	idm_explain_iter_free(*iter);
}

static inline void idm_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#ifdef __cplusplus
}
#endif

#endif
