// SPDX-License-Identifier: MIT
#include "clients.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

/* ---- the service ---- */

static void write_to_log(void)
{
	int log = (int)must(open(LOG_PATH, O_WRONLY | O_CREAT | O_APPEND, 0644));

	must(dup2(log, STDERR_FILENO));
	close(log);
}

void service_execute(char *const argv[])
{
	write_to_log();
	execv(getenv("IDMOUNTD"), argv);
	fail_msg("execute %s: %s", getenv("IDMOUNTD"), strerror(errno));
}

static int try_to_connect(int flags)
{
	const struct sockaddr_un address = { AF_UNIX, SOCKET_PATH };
	AUTO_CLOSE int fd = (int)must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));

	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return idm_steal_fd(&fd);
}

int connect_service(void)
{
	int fd = try_to_connect(0);

	if (fd < 0)
		fail_msg("connect to the service: %s", strerror(errno));
	return fd;
}

int connect_without_waiting(void)
{
	int fd = try_to_connect(SOCK_NONBLOCK);

	if (fd < 0)
		assert_int_equal(errno, EAGAIN);
	return fd;
}

static void await_close(int connection)
{
	char byte;

	must(shutdown(connection, SHUT_WR));
	/* One that was accepted before this is refused, then closed. */
	while (recv(connection, &byte, 1, 0) > 0)
		;
	close(connection);
}

/* There is nothing to wait for but the socket itself. It exists before all descriptors of the service
 * do. */
static void await_service(pid_t pid)
{
	int fd;

	while ((fd = try_to_connect(0)) < 0) {
		if (must(waitpid(pid, NULL, WNOHANG)) == pid) {
			AUTO_FREE char *log = service_log();

			fail_msg("the service exited: %s", log);
		}
		usleep(2000);
	}
	await_close(fd);
}

void await_turn(void)
{
	await_close(connect_service());
}

static struct service start(const char *option, void (*confine)(void))
{
	char *const argv[] = { (char *)"idmountd", (char *)"--socket", (char *)SOCKET_PATH,
			       (char *)option, NULL };
	struct service service;

	if (!getenv("IDMOUNTD"))
		skip_test("IDMOUNTD, the path of the program, is not set");
	must(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)); /* see reap_orphans() */
	service.pid = (pid_t)must(fork());
	if (service.pid == 0) {
		if (confine)
			confine();
		service_execute(argv);
	}
	await_service(service.pid);
	return service;
}

struct service service_start_held(int *listener)
{
	char *const argv[] = { getenv("IDMOUNTD"), (char *)"--socket", (char *)SOCKET_PATH, NULL };
	struct service service;
	int connection;

	if (!argv[0])
		skip_test("IDMOUNTD, the path of the program, is not set");
	*listener = start_program_held(argv, write_to_log, &service.pid);
	while ((connection = try_to_connect(SOCK_NONBLOCK)) < 0)
		answer_call(*listener, 1, NULL, NULL);
	close(connection);
	return service;
}

struct service service_start(const char *option)
{
	return start(option, NULL);
}

static void refuse_peer_pidfd(void)
{
	refuse_call_where(SYS_getsockopt, 2, 77, ENOPROTOOPT); /* SO_PEERPIDFD */
}

struct service service_start_by_number(const char *option)
{
	return start(option, refuse_peer_pidfd);
}

static bool is_in_unit(unsigned int capability)
{
	return capability == CAP_SYS_ADMIN || capability == CAP_SYS_PTRACE ||
	       capability == CAP_DAC_READ_SEARCH || capability == CAP_SYS_CHROOT;
}

static void drop_capabilities(void)
{
	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++)
		if (!is_in_unit(i) && prctl(PR_CAPBSET_READ, i, 0, 0, 0) > 0)
			must(prctl(PR_CAPBSET_DROP, i, 0, 0, 0));
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

struct service service_start_as_unit(const char *option)
{
	return start(option, drop_capabilities);
}

static void limit_fds(void)
{
	const struct rlimit few = { FEW_FDS, FEW_FDS };

	must(setrlimit(RLIMIT_NOFILE, &few));
	drop_capabilities();
}

struct service service_start_with_few_fds(const char *option)
{
	return start(option, limit_fds);
}

void service_stop_held(struct service *service, int listener)
{
	must(kill(service->pid, SIGTERM));
	answer_calls_until_exit(listener, service->pid, NULL, NULL);
	close(listener);
}

static bool is_of_service(pid_t pid)
{
	char name[COMM_SIZE];

	read_comm(pid, name);
	return strcmp(name, "idmountd\n") == 0;
}

/* The service does not wait for children that it has killed. They are this process's then. */
static void reap_orphans(void)
{
	char path[64], list[4096] = "", *at = list;
	AUTO_CLOSE int fd = -1;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	must(read(fd, list, sizeof(list) - 1));
	while ((pid = (pid_t)strtol(at, &at, 10)))
		if (is_of_service(pid))
			must(waitpid(pid, NULL, __WALL));
}

void service_stop(struct service *service)
{
	int status;

	must(kill(service->pid, SIGTERM));
	must(waitpid(service->pid, &status, 0));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		AUTO_FREE char *log = service_log();

		fail_msg("the service exited with status %d: %s", status, log);
	}
	reap_orphans();
	assert_int_equal(access(SOCKET_PATH, F_OK), -1);
}

char *service_log(void)
{
	AUTO_CLOSE int fd = open(LOG_PATH, O_RDONLY | O_CLOEXEC);
	char *text = calloc(1, 1 << 20);

	assert_non_null(text);
	if (fd >= 0)
		must(read(fd, text, (1 << 20) - 1));
	return text;
}

pid_t service_worker(const struct service *service)
{
	char path[64], line[64] = "";
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)service->pid, (int)service->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		skip_test("the kernel does not list children: %s", strerror(errno));
	n = must(read(fd, line, sizeof(line) - 1));
	line[n] = '\0';
	return (pid_t)strtol(line, NULL, 10);
}

unsigned int service_fds(const struct service *service)
{
	char path[64];
	unsigned int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)service->pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void owned(const char *path, uint32_t id)
{
	scratch_file(path, "secret");
	must(chown(path, id, id));
	must(chmod(path, 0600));
}

void enter_with_data(void)
{
	scratch_enter();
	scratch_dir(DATA);
	must(chown(DATA, USER, USER));
	owned(DATA "/0", 0);
	owned(DATA "/1500", USER);
	owned(DATA "/1600", OTHER_USER);
	owned(DATA "/200005", 200005);
}

/* ---- clients ---- */

static void write_maps(pid_t pid, const struct identity *who)
{
	char path[64];

	if (who->deny_setgroups) {
		AUTO_CLOSE int fd = -1;

		snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
		fd = (int)must(open(path, O_WRONLY | O_CLOEXEC));
		must(write(fd, "deny", 4));
	}
	write_id_map(pid, "uid_map", who->map);
	write_id_map(pid, "gid_map", who->gid_map ? who->gid_map : who->map);
}

/* A child that stays root writes the maps. */
static pid_t start_writer(const struct identity *who, int go)
{
	pid_t us = getpid(), child = (pid_t)must(fork());
	char byte;

	if (child != 0)
		return child;
	must(read(go, &byte, 1));
	write_maps(us, who);
	_exit(0);
}

static void set_ids(uint32_t uid, uint32_t gid)
{
	must(syscall(SYS_setresgid, gid, gid, gid));
	must(syscall(SYS_setresuid, uid, uid, uid));
	must(prctl(PR_SET_DUMPABLE, 1));
}

static void become_identity(const struct identity *who)
{
	if (who->no_new_privs)
		must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(syscall(SYS_setgroups, who->group ? 1 : 0, &who->group));
	set_ids(who->uid, who->gid);
}

void become_client(const struct identity *who)
{
	pid_t writer = 0;
	int go[2];

	must(pipe2(go, O_CLOEXEC));
	if (who->map)
		writer = start_writer(who, go[0]);
	become_identity(who);
	if (who->map) {
		must(unshare(CLONE_NEWUSER | CLONE_NEWNS));
		must(write(go[1], "", 1));
		await_child(writer);
		set_ids(0, 0);
	}
	close(go[0]);
	close(go[1]);
}

struct call {
	struct identity who;
	void (*body)(void *);
	void *arg;
};

static void run_call(void *data)
{
	const struct call *call = data;

	become_client(&call->who);
	call->body(call->arg);
}

void as_client(struct identity who, void (*body)(void *), void *arg)
{
	in_child(run_call, &(struct call){ who, body, arg });
}

void race_with_service(void (*attack)(void *), void *data)
{
	struct service service = service_start(NULL);
	int ready[2], go[2];
	char byte;
	pid_t pid;

	must(pipe2(ready, O_CLOEXEC));
	must(pipe2(go, O_CLOEXEC));
	must(kill(service.pid, SIGSTOP));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		as_client(ORDINARY, attack, &(struct race){ ready[1], go[0], data });
		_exit(0);
	}
	must(read(ready[0], &byte, 1));
	must(kill(service.pid, SIGCONT));
	must(write(go[1], "", 1));
	await_child(pid);
	service_stop(&service);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

int get_fd(pid_t pid, int number)
{
	AUTO_CLOSE int pidfd = idm_sys_pidfd_open(pid);

	return (int)must(syscall(SYS_pidfd_getfd, pidfd, number, 0));
}

struct made {
	const char *map;
	int report;
};

static void make_userns(void *data)
{
	const struct made *made = data;
	int fd = userns_of(made->map);

	must(write(made->report, &fd, sizeof(fd)));
	pause();
}

int userns_of_client(struct identity who, const char *map)
{
	int report[2], number, fd;
	pid_t pid;

	must(pipe2(report, O_CLOEXEC));
	pid = (pid_t)must(fork());
	if (pid == 0) {
		become_client(&who);
		make_userns(&(struct made){ map, report[1] });
	}
	assert_int_equal(must(read(report[0], &number, sizeof(number))), sizeof(number));
	fd = get_fd(pid, number);
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	close(report[0]);
	close(report[1]);
	return fd;
}

/* ---- random subjects, files and maps ---- */

const uint32_t some_owners[6] = { USER, 200000, 200001, 200002, 0, OTHER_USER };
const uint32_t some_groups[6] = { USER, 200000, 200001, 200002, 0, OTHER_GROUP };

/* Of one named user, and one named group. */
void add_random_acl(struct rng *rng, const char *path)
{
	const uint32_t none = UINT32_MAX;
	struct acl acl = { 2,
			   { { 0x01, 0, none },
			     { 0x02, 0, some_owners[rng_below(rng, 6)] },
			     { 0x04, 0, none },
			     { 0x08, 0, some_groups[rng_below(rng, 6)] },
			     { 0x10, 7, none },
			     { 0x20, 0, none } } };

	for (size_t i = 0; i < ARRAY_SIZE(acl.entries); i++)
		if (acl.entries[i].tag != 0x10)
			acl.entries[i].permissions = (uint16_t)rng_below(rng, 8);
	if (setxattr(path, "system.posix_acl_access", &acl, sizeof(acl), 0) < 0)
		assert_int_equal(errno, EOPNOTSUPP);
}

static void raise_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data));
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	must(syscall(SYS_capset, &header, data));
}

bool become_subject(const struct subject *s)
{
	must(prctl(PR_SET_KEEPCAPS, s->with_capabilities, 0, 0, 0));
	if (s->drop_groups && syscall(SYS_setgroups, 0, NULL) < 0)
		return false;
	if (syscall(SYS_setresgid, s->gid, s->gid, s->gid) < 0 ||
	    syscall(SYS_setresuid, s->uid, s->uid, s->uid) < 0)
		return false;
	if (s->with_capabilities)
		raise_capabilities();
	else if (s->uid == 0) /* root keeps them else */
		must(syscall(
			SYS_capset,
			&(struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 },
			(struct __user_cap_data_struct[2]){ 0 }));
	return true;
}

static void shuffle(struct rng *rng, uint32_t *list, uint32_t n)
{
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = rng_below(rng, i), x = list[j];

		list[j] = list[i - 1];
		list[i - 1] = x;
	}
}

void add_random_side(struct rng *rng, char *text, char kind, const uint32_t *disk, uint32_t n)
{
	uint32_t from[8], to[8];

	for (uint32_t i = 0; i < n; i++)
		from[i] = to[i] = i;
	shuffle(rng, from, n);
	shuffle(rng, to, n);
	for (uint32_t i = 0, count = 1 + rng_below(rng, n); i < count; i++)
		sprintf(text + strlen(text), "%s%c:%u:%u", *text ? "," : "", kind, disk[from[i]], to[i]);
}

void map_without_rule(pid_t pid, int tree, int userns)
{
	AUTO_CLOSE int pidfd = idm_sys_pidfd_open(pid);
	AUTO_CLOSE int own_tree = (int)must(syscall(SYS_pidfd_getfd, pidfd, tree, 0));
	AUTO_CLOSE int own_userns = (int)must(syscall(SYS_pidfd_getfd, pidfd, userns, 0));
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)own_userns };

	assert_int_equal(idm_sys_mount_setattr(own_tree, "", AT_EMPTY_PATH, &attr), 0);
}

struct mapper_request {
	pid_t pid;
	int tree, userns;
};

__attribute__((noreturn)) static void serve_mapper_requests(int socket)
{
	struct mapper_request request;

	while (must(read(socket, &request, sizeof(request))) == sizeof(request)) {
		map_without_rule(request.pid, request.tree, request.userns);
		must(write(socket, "", 1));
	}
	_exit(0);
}

struct mapper mapper_start(void)
{
	struct mapper mapper;
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	mapper = (struct mapper){ (pid_t)must(fork()), pair[1] };
	if (mapper.pid == 0) {
		close(pair[1]);
		serve_mapper_requests(pair[0]);
	}
	close(pair[0]);
	return mapper;
}

void mapper_ask(const struct mapper *mapper, int tree, int userns)
{
	const struct mapper_request request = { getpid(), tree, userns };
	char byte;

	must(write(mapper->socket, &request, sizeof(request)));
	assert_int_equal(must(read(mapper->socket, &byte, 1)), 1);
}

void mapper_end(struct mapper *mapper)
{
	close(mapper->socket);
	await_child(mapper->pid);
}

void unshare_into_userns(void *unused)
{
	(void)unused;
	must(unshare(CLONE_NEWUSER));
}

int clone_tree(const char *path)
{
	int tree = idm_sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		fail_msg("clone %s: %s", path, strerror(-tree));
	return tree;
}

/* ---- messages ---- */

static struct cmsghdr *add_control(struct msghdr *header, int type, const void *data, size_t size)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)header->msg_control + header->msg_controllen);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
	header->msg_controllen += CMSG_SPACE(size);
	return c;
}

void send_message(int connection, const void *data, size_t size, const int *fds, size_t n_fds,
		  const struct ucred *credentials)
{
	_Alignas(struct cmsghdr) char control[2048] = { 0 };
	struct iovec part = { (void *)data, size };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };

	if (credentials)
		add_control(&header, SCM_CREDENTIALS, credentials, sizeof(*credentials));
	if (n_fds)
		add_control(&header, SCM_RIGHTS, fds, n_fds * sizeof(int));
	must(sendmsg(connection, &header, MSG_NOSIGNAL));
}

void send_request(int connection, uint32_t operation, const int *fds, size_t n_fds)
{
	const struct idm_service_request request = { IDM_SERVICE_VERSION, operation };

	send_message(connection, &request, sizeof(request), fds, n_fds, NULL);
}

void send_proof(int connection, const struct idm_service_reply *challenge)
{
	const struct idm_service_request request = { IDM_SERVICE_VERSION, IDM_SERVICE_PROVE };

	send_message(connection, &request, sizeof(request), NULL, 0,
		     &(struct ucred){ getpid(), challenge->uid, challenge->gid });
}

struct idm_service_reply receive_reply(int connection)
{
	struct idm_service_reply reply;
	ssize_t n = recv(connection, &reply, sizeof(reply), MSG_TRUNC);

	/* The service has left a message unread. The kernel reports that once, before the reply. */
	if (n < 0 && errno == ECONNRESET)
		n = recv(connection, &reply, sizeof(reply), MSG_TRUNC);
	assert_int_equal(must(n), sizeof(reply));
	assert_int_equal(reply.version, IDM_SERVICE_VERSION);
	assert_int_equal(reply.reason[sizeof(reply.reason) - 1], 0);
	assert_int_equal(reply.hint[sizeof(reply.hint) - 1], 0);
	return reply;
}

void assert_closed(int connection)
{
	char byte;
	ssize_t n = recv(connection, &byte, 1, 0);

	/* The service has left a message unread. */
	if (n < 0)
		assert_int_equal(errno, ECONNRESET);
	else
		assert_int_equal(n, 0);
}

struct idm_service_reply ask(int tree, int userns)
{
	AUTO_CLOSE int connection = connect_service();
	const int fds[] = { tree, userns };
	struct idm_service_reply reply;

	send_request(connection, IDM_SERVICE_MAP, fds, 2);
	reply = receive_reply(connection);
	if (reply.state == IDM_SERVICE_CHALLENGE) {
		send_proof(connection, &reply);
		reply = receive_reply(connection);
	}
	assert_int_equal(reply.state, IDM_SERVICE_DONE);
	assert_closed(connection);
	return reply;
}

struct idm_service_reply ask_for(const char *path, const char *map)
{
	AUTO_CLOSE int tree = clone_tree(path), userns = userns_of(map);

	return ask(tree, userns);
}

void assert_refused_at(const char *file, int line, const struct idm_service_reply *reply, int code,
		       const char *reason)
{
	assert_contains_at(file, line, "the reason", reply->reason, reason);
	assert_int_at(file, line, "the result", reply->result, true, code);
}

struct owner owner_at(int dir, const char *name)
{
	struct stat st;

	must(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW));
	return (struct owner){ st.st_uid, st.st_gid };
}
