// SPDX-License-Identifier: MIT
/* Makes the request of the options: one block that grows, and in which all is found by its offset. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/file-type.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step = IDM_STEP_START_PROGRAM;

/* Far more than execve(2) accepts. */
#define MOST (1U << 30)

#define MOST_FILTER ((ssize_t)(BPF_MAXINSNS * sizeof(struct sock_filter)))

/* As most containers have it, for an environment that says nothing. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct maker {
	char *data;
	uint32_t used, size;
	int failed; /* -errno; the block is of no use then, but still there */
};

static struct idm_request *request_of(const struct maker *m)
{
	return (struct idm_request *)m->data;
}

static void grow_request(struct maker *m, size_t n)
{
	size_t size = m->size;
	char *data;

	while (size < m->used + n)
		size *= 2;
	if (size == m->size)
		return;
	data = n > MOST || size > MOST ? NULL : realloc(m->data, size);
	if (!data) {
		m->failed = size > MOST || n > MOST ? -E2BIG : -ENOMEM;
		return;
	}
	m->data = data;
	m->size = (uint32_t)size;
}

/* Room for n bytes of 0, aligned for any number. 0 once anything has failed. */
static uint32_t reserve_bytes(struct maker *m, size_t n)
{
	uint32_t at;

	if (m->failed)
		return 0;
	m->used = (m->used + 7) & ~7U;
	grow_request(m, n + 8);
	if (m->failed)
		return 0;
	at = m->used;
	memset(m->data + at, 0, n);
	m->used += (uint32_t)n;
	return at;
}

static uint32_t append_bytes(struct maker *m, const void *data, size_t n)
{
	uint32_t at = reserve_bytes(m, n);

	if (at && n)
		memcpy(m->data + at, data, n);
	return at;
}

static uint32_t put_string(struct maker *m, const char *s)
{
	return s ? append_bytes(m, s, strlen(s) + 1) : 0;
}

/* The place of an element of an array: good until something is put. */
#define ELEMENT(m, array, type, i) ((type *)((m)->data + (array)) + (i))

static uint32_t put_strings(struct maker *m, const char *const *strings)
{
	size_t n = 0;
	uint32_t at;

	while (strings[n])
		n++;
	at = reserve_bytes(m, (n + 1) * sizeof(uint64_t));
	for (size_t i = 0; i < n && at; i++) {
		uint32_t s = put_string(m, strings[i]);

		if (s)
			*ELEMENT(m, at, uint64_t, i) = s;
	}
	return at;
}

/* ---- the program ---- */

static const char *find_search_path(const char *const *envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return DEFAULT_PATH;
}

/* "DIRECTORY/NAME"; an empty directory is the working one. */
static uint32_t put_candidate(struct maker *m, const char *directory, size_t length, const char *name)
{
	size_t n = strlen(name);
	uint32_t at = reserve_bytes(m, length + n + 3);

	if (!at)
		return 0;
	if (length == 0)
		m->data[at] = '.';
	memcpy(m->data + at, directory, length);
	length += length == 0;
	m->data[at + length] = '/';
	memcpy(m->data + at + length + 1, name, n);
	return at;
}

static void put_search(struct maker *m, const char *path, const char *name)
{
	uint32_t n = 1, at;

	for (const char *p = path; *p; p++)
		n += *p == ':';
	at = reserve_bytes(m, n * sizeof(uint32_t));
	for (uint32_t i = 0; i < n && !m->failed; i++) {
		size_t length = strcspn(path, ":");
		uint32_t candidate = put_candidate(m, path, length, name);

		if (candidate)
			*ELEMENT(m, at, uint32_t, i) = candidate;
		path += length + 1;
	}
	request_of(m)->paths = at;
	request_of(m)->n_paths = n;
}

static void put_program(struct maker *m, const struct idm_child_options *o)
{
	const char *const *envp = o->envp ? o->envp : (const char *const *)environ;
	static const char *const none[] = { NULL };
	uint32_t at;

	if (!envp) /* after clearenv(3) */
		envp = none;
	if (o->flags & IDM_CHILD_SEARCH_PATH && !strchr(o->path, '/')) {
		put_search(m, find_search_path(envp), o->path);
	} else {
		at = put_string(m, o->path);
		request_of(m)->paths = append_bytes(m, &at, sizeof(at));
		request_of(m)->n_paths = 1;
	}
	at = put_strings(m, o->argv);
	request_of(m)->argv = at;
	at = put_strings(m, envp);
	request_of(m)->envp = at;
	request_of(m)->program_fd = o->program_fd;
	request_of(m)->cwd_fd = -1;
	at = put_string(m, o->cwd ? o->cwd : o->root_fd >= 0 ? "/" : NULL);
	request_of(m)->cwd = at;
}

/* ---- descriptors ---- */

static bool is_open(int fd)
{
	return idm_sys_fd_flags(fd) >= 0;
}

static int check_open(int fd, enum idm_error_step which, struct idm_error *err)
{
	if (fd < 0 || is_open(fd))
		return 0;
	return idm_fail(err, -EBADF, which, NULL, "descriptor %d is not open", fd);
}

static bool is_named(const struct idm_child_options *o, int to)
{
	for (size_t i = 0; i < o->n_fds; i++)
		if (o->fds[i].to == to)
			return true;
	return false;
}

/*
 * Where the caller has closed 0, 1 or 2, a namespace or a tree can have that number. It is for the child
 * alone: a tree of the host would be a way out of the root for the program.
 */
static bool is_for_the_child(const struct idm_child_options *o, const struct idm_child_userns *userns,
			     int fd)
{
	if (fd == userns->assembly || fd == userns->child || fd == userns->own)
		return true;
	if (fd == o->root_fd || fd == o->program_fd || fd == o->cgroup_fd)
		return true;
	for (size_t i = 0; i < o->n_join_fds; i++)
		if (o->join_fds[i] == fd)
			return true;
	for (size_t i = 0; i < o->n_mounts; i++)
		if (!o->mounts[i].fstype && o->mounts[i].tree_fd == fd)
			return true;
	return false;
}

/*
 * Not if it is close-on-exec: where the caller has closed 0, 1 or 2, the socket to its fork server can
 * have that number, or a file of another library.
 */
static bool is_inherited_fd(const struct idm_child_options *o, const struct idm_child_userns *userns,
			    int fd)
{
	return !is_named(o, fd) && idm_sys_fd_flags(fd) == 0 && !is_for_the_child(o, userns, fd);
}

static int put_fds(struct maker *m, const struct idm_child_options *o,
		   const struct idm_child_userns *userns, struct idm_error *err)
{
	uint32_t at = reserve_bytes(m, (o->n_fds + 3) * sizeof(struct idm_request_fd)), n = 0;
	int r;

	for (int fd = 0; fd < 3 && at; fd++)
		if (is_inherited_fd(o, userns, fd))
			*ELEMENT(m, at, struct idm_request_fd, n++) = (struct idm_request_fd){ fd, fd };
	for (size_t i = 0; i < o->n_fds && at; i++) {
		r = check_open(o->fds[i].from, IDM_STEP_PASS_DESCRIPTORS, err);
		if (r < 0)
			return r;
		*ELEMENT(m, at, struct idm_request_fd, n++) = (struct idm_request_fd){ o->fds[i].from,
										       o->fds[i].to };
	}
	request_of(m)->fds = at;
	request_of(m)->n_fds = n;
	return 0;
}

/* ---- namespaces ---- */

static int get_namespace_type(int fd, struct idm_error *err)
{
	int type = idm_sys_ioctl(fd, IDM_NS_GET_NSTYPE, NULL);

	if (type < 0)
		return idm_fail(err, type == -EBADF ? type : -EINVAL, step, NULL,
				"descriptor %d is no namespace to join", fd);
	return type;
}

static int put_join(struct maker *m, uint32_t at, int fd, struct idm_error *err)
{
	struct idm_request *request = request_of(m);
	struct idm_request_join *joins = ELEMENT(m, at, struct idm_request_join, 0);
	int type = get_namespace_type(fd, err);

	if (type < 0)
		return type;
	for (uint32_t i = 0; i < request->n_joins; i++)
		if (joins[i].type == (uint32_t)type)
			return idm_fail(err, -EINVAL, step, NULL,
					"two namespaces of one kind cannot be joined");
	joins[request->n_joins++] = (struct idm_request_join){ fd, (uint32_t)type, 0 };
	if (type == CLONE_NEWUSER)
		request->flags |= IDM_REQUEST_OTHER_USER;
	if (type == CLONE_NEWPID)
		request->flags |= IDM_REQUEST_SECOND;
	return 0;
}

static int put_joins(struct maker *m, const struct idm_child_options *o,
		     const struct idm_child_userns *userns, struct idm_error *err)
{
	uint32_t at = reserve_bytes(m, (o->n_join_fds + 1) * sizeof(struct idm_request_join));
	int r = 0;

	if (!at)
		return 0;
	request_of(m)->joins = at;
	request_of(m)->assembly_userns_fd = userns->assembly;
	if (userns->child >= 0)
		r = put_join(m, at, userns->child, err);
	for (size_t i = 0; i < o->n_join_fds && r == 0; i++)
		if (o->join_fds[i] != userns->assembly)
			r = put_join(m, at, o->join_fds[i], err);
	return r;
}

/*
 * A PID namespace of the caller's user namespace can be made with the child. One of another has to be
 * made by who is in that.
 */
static void put_namespaces(struct maker *m, const struct idm_child_options *o, uint64_t *clone_flags)
{
	struct idm_request *request = request_of(m);

	*clone_flags = 0;
	request->namespaces = o->namespaces & ~IDM_NS_PID;
	if (!(o->namespaces & IDM_NS_PID))
		return;
	if (request->flags & (IDM_REQUEST_OTHER_USER | IDM_REQUEST_SECOND))
		request->flags |= IDM_REQUEST_SECOND | IDM_REQUEST_NEW_PID;
	else
		*clone_flags = CLONE_NEWPID;
}

/* ---- mounts ---- */

/* "a=b,c" as pairs of a name and a value or 0. The text itself is split, so it is a copy. */
static int put_mount_options(struct maker *m, const char *options, struct idm_request_mount *mount,
			     struct idm_error *err)
{
	uint32_t text = put_string(m, options), n = 1, at;

	for (const char *p = options; *p; p++)
		n += *p == ',';
	at = reserve_bytes(m, n * 2 * sizeof(uint32_t));
	if (!at)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		char *option = m->data + text;
		size_t length = strcspn(option, ","), name = strcspn(option, "=,");

		if (name == 0)
			return idm_fail(err, -EINVAL, step, options,
					"there is an option without a name");
		ELEMENT(m, at, uint32_t, 2 * i)[0] = text;
		if (name < length)
			ELEMENT(m, at, uint32_t, 2 * i)[1] = text + (uint32_t)name + 1;
		option[name] = '\0';
		option[length] = '\0';
		text += (uint32_t)length + 1;
	}
	mount->options = at;
	mount->n_options = n;
	return 0;
}

/* "/a//b/./" is "/a/b": behind a trailing slash even a last component that is a link would be followed.
 */
static uint32_t put_target(struct maker *m, const char *target)
{
	uint32_t at = reserve_bytes(m, strlen(target) + 1), n = 0;

	while (at && *target) {
		size_t length;

		target += strspn(target, "/");
		length = strcspn(target, "/");
		if (length && !(length == 1 && *target == '.')) {
			m->data[at + n++] = '/';
			memcpy(m->data + at + n, target, length);
			n += (uint32_t)length;
		}
		target += length;
	}
	return at;
}

static int put_mount(struct maker *m, const struct idm_child_mount *o, struct idm_request_mount *mount,
		     struct idm_error *err)
{
	mode_t type;
	int r = 0;

	*mount = (struct idm_request_mount){ .attr = o->attr, .flags = o->flags, .tree = -1 };
	mount->target = put_target(m, o->target);
	mount->fstype = put_string(m, o->fstype);
	mount->source = put_string(m, o->source ? o->source : o->fstype);
	if (o->options && *o->options)
		r = put_mount_options(m, o->options, mount, err);
	if (o->fstype || o->flags & IDM_CHILD_MOUNT_REBIND)
		return r;
	mount->tree = o->tree_fd;
	r = idm_file_type(o->tree_fd, &type);
	if (r == -EBADF)
		return idm_fail(err, r, step, o->target, "descriptor %d is no tree to mount",
				o->tree_fd);
	if (r < 0)
		return idm_fail(err, r, step, o->target, "its tree cannot be looked at: %s",
				idm_errno_text(-r));
	mount->is_file = !S_ISDIR(type);
	return 0;
}

static int put_mounts(struct maker *m, const struct idm_child_options *o, struct idm_error *err)
{
	uint32_t at = reserve_bytes(m, o->n_mounts * sizeof(struct idm_request_mount));
	int r = 0;

	for (size_t i = 0; i < o->n_mounts && r == 0 && at; i++) {
		struct idm_request_mount mount;

		r = put_mount(m, &o->mounts[i], &mount, err);
		*ELEMENT(m, at, struct idm_request_mount, i) = mount;
	}
	request_of(m)->mounts = at;
	request_of(m)->n_mounts = (uint32_t)o->n_mounts;
	return r;
}

static int put_root(struct maker *m, const struct idm_child_options *o, struct idm_error *err)
{
	struct idm_request *request = request_of(m);

	if (o->namespaces & IDM_NS_MOUNT)
		request->flags |= IDM_REQUEST_NEW_MOUNT;
	if (o->root_fd >= 0)
		request->flags |= IDM_REQUEST_PIVOT;
	request->root_fd = o->root_fd;
	request->propagation = o->propagation == IDM_PROPAGATION_SLAVE ? MS_SLAVE : MS_PRIVATE;
	return check_open(o->root_fd, IDM_STEP_ATTACH_ROOT, err);
}

/* ---- who it is ---- */

void idm_child_put_own_capabilities(struct idm_request *request)
{
	struct idm_request_caps *own = &request->own;
	bool root = geteuid() == 0 && !(idm_sys_prctl(PR_GET_SECUREBITS, 0, 0) & SECBIT_NOROOT);

	if (idm_sys_capget(&own->effective, &own->permitted, &own->inheritable) < 0)
		return;
	for (unsigned int i = 0; i < 64; i++)
		if (idm_sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i) > 0)
			own->ambient |= 1ULL << i;
	if (!root && own->permitted)
		request->flags |= IDM_REQUEST_RAISE_AMBIENT;
}

static void put_identity(struct maker *m, const struct idm_child_options *o)
{
	uint32_t groups = o->n_groups ? append_bytes(m, o->groups, o->n_groups * sizeof(*o->groups)) : 0;
	struct idm_request *request = request_of(m);

	request->groups = groups;
	request->n_groups = (uint32_t)o->n_groups;
	request->uid = o->uid;
	request->gid = o->gid;
	/* No caller wants another user with the caller's own groups. */
	if (o->flags & IDM_CHILD_SET_GROUPS ||
	    (o->uid != IDM_CHILD_KEEP_ID && !(request->flags & IDM_REQUEST_OTHER_USER)))
		request->flags |= IDM_REQUEST_SET_GROUPS;
	if (o->capabilities) {
		request->flags |= IDM_REQUEST_SET_CAPS;
		request->caps = (struct idm_request_caps){
			o->capabilities->effective,   o->capabilities->permitted,
			o->capabilities->inheritable, o->capabilities->bounding,
			o->capabilities->ambient,
		};
	}
}

/* ---- all of it ---- */

/* What others must not see done in the caller's memory, or cannot be. */
static bool needs_executor(const struct idm_child_options *o, const struct idm_request *request)
{
	return o->namespaces || request->n_joins || o->uid != IDM_CHILD_KEEP_ID ||
	       o->gid != IDM_CHILD_KEEP_ID ||
	       o->flags & (IDM_CHILD_SET_GROUPS | IDM_CHILD_DIE_WITH_THREAD | IDM_CHILD_NEW_KEYRING |
			   IDM_CHILD_NO_KEYRINGS) ||
	       o->capabilities || o->seccomp_fd >= 0;
}

static uint64_t get_blocked_signals(void)
{
	uint64_t mask;

	idm_sys_block_signals(&mask);
	idm_sys_restore_signals(&mask);
	return mask;
}

static void put_flags(struct maker *m, const struct idm_child_options *o)
{
	static const struct {
		uint32_t option, request;
	} same[] = {
		{ IDM_CHILD_KEEP_FDS, IDM_REQUEST_KEEP_FDS },
		{ IDM_CHILD_RESET_SIGNALS, IDM_REQUEST_RESET_IGNORED },
		{ IDM_CHILD_SESSION, IDM_REQUEST_SESSION },
		{ IDM_CHILD_NO_NEW_PRIVS, IDM_REQUEST_NO_NEW_PRIVS },
		{ IDM_CHILD_UNDER_INIT, IDM_REQUEST_INIT },
		{ IDM_CHILD_DIE_WITH_THREAD, IDM_REQUEST_DIE },
		{ IDM_CHILD_NEW_KEYRING, IDM_REQUEST_KEYRING },
		{ IDM_CHILD_DISABLE_USERNS, IDM_REQUEST_LIMIT_USERNS },
		{ IDM_CHILD_NO_KEYRINGS, IDM_REQUEST_NO_KEYRINGS },
	};
	struct idm_request *request = request_of(m);

	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		if (o->flags & same[i].option)
			request->flags |= same[i].request;
	request->terminal_fd = o->terminal_fd;
	request->process_group = o->process_group;
	request->mask = o->flags & IDM_CHILD_RESET_SIGNALS ? 0 : get_blocked_signals();
	if (needs_executor(o, request))
		request->flags |= IDM_REQUEST_EXECUTOR;
}

/* ---- a filter of seccomp(2) ---- */

#define FILTER_STEP IDM_STEP_READ_SECCOMP_FILTER

static int check_filter(ssize_t n, struct idm_error *err)
{
	if (n < 0)
		return idm_fail_errno(err, (int)n, FILTER_STEP, NULL);
	if (n == 0 || n % (ssize_t)sizeof(struct sock_filter) || n > MOST_FILTER)
		return idm_fail(err, -EINVAL, FILTER_STEP, NULL,
				"expected 1 to %d instructions of %zu bytes, got %zd bytes",
				BPF_MAXINSNS, sizeof(struct sock_filter), n);
	return 0;
}

static int put_filter(struct maker *m, const struct idm_child_options *o, struct idm_error *err)
{
	AUTO_FREE char *text = NULL;
	uint32_t at;
	ssize_t n;
	int r;

	if (o->seccomp_fd < 0)
		return 0;
	text = malloc(MOST_FILTER + 1);
	if (!text)
		return idm_fail_errno(err, -ENOMEM, FILTER_STEP, NULL);
	n = idm_read_all(o->seccomp_fd, text, MOST_FILTER + 1);
	r = check_filter(n, err);
	if (r < 0)
		return r;
	at = append_bytes(m, text, (size_t)n);
	request_of(m)->filter = at;
	request_of(m)->n_filter = (uint32_t)((size_t)n / sizeof(struct sock_filter));
	return 0;
}

static int fill_request(struct maker *m, const struct idm_child_options *o,
			const struct idm_child_userns *userns, uint64_t *clone_flags,
			struct idm_error *err)
{
	uint32_t hostname;
	int r;

	reserve_bytes(m, sizeof(struct idm_request));
	if (m->failed)
		return 0;
	put_program(m, o);
	r = check_open(o->program_fd, IDM_STEP_EXECUTE_DESCRIPTOR, err);
	if (r == 0)
		r = check_open(o->terminal_fd, IDM_STEP_SET_TERMINAL, err);
	if (r == 0)
		r = put_fds(m, o, userns, err);
	if (r == 0)
		r = put_joins(m, o, userns, err);
	if (r == 0)
		r = put_mounts(m, o, err);
	if (r == 0)
		r = put_filter(m, o, err);
	if (r == 0)
		r = put_root(m, o, err);
	if (r < 0)
		return r;
	put_namespaces(m, o, clone_flags);
	put_identity(m, o);
	put_flags(m, o);
	hostname = put_string(m, o->hostname);
	request_of(m)->hostname = hostname;
	/* Those of the request itself are seven. */
	hostname = reserve_bytes(
		m, (request_of(m)->n_fds + request_of(m)->n_joins + request_of(m)->n_mounts + 7) *
			   sizeof(int32_t));
	request_of(m)->kept = hostname;
	request_of(m)->size = m->used;
	return 0;
}

int idm_child_make_request(const struct idm_child_options *o, const struct idm_child_userns *userns,
			   struct idm_request **request, uint64_t *clone_flags, struct idm_error *err)
{
	struct maker m = { .data = malloc(16384), .size = 16384 };
	int r;

	if (!m.data)
		return idm_fail_errno(err, -ENOMEM, step, NULL);
	r = fill_request(&m, o, userns, clone_flags, err);
	if (r == 0 && m.failed)
		r = idm_fail_because(err, m.failed, step, o->path,
				     m.failed == -E2BIG ? "the arguments are too long" : NULL);
	if (r < 0) {
		free(m.data);
		return r;
	}
	*request = request_of(&m);
	return 0;
}
