/* SPDX-License-Identifier: MIT */
/* The service as a running program, and clients of it in user namespaces of their own. */
#ifndef IDM_TESTS_SERVICE_CLIENTS_H
#define IDM_TESTS_SERVICE_CLIENTS_H

#include <sys/socket.h>

#include "lib/base/service-wire.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"

#define SOCKET_PATH SCRATCH "/run/idmountd.sock"
#define LOG_PATH SCRATCH "/log"
#define DATA SCRATCH "/data"

/* An ordinary user with these ranges, and another one without any. */
#define USER 1500
#define OTHER_USER 1600
#define OTHER_GROUP 1700
#define RANGES "0 1500 1\n1 200000 1000\n" MANY_IDS
/* No file names these. A namespace with so many may have maps to some of its IDs. */
#define MANY_IDS "100000 300000 20000\n"

/* ---- the service ---- */

struct service {
	pid_t pid;
};

/* With these options behind --socket; NULL: none. It can be connected to when this returns. */
struct service service_start(const char *option);

/* The same below a filter that refuses SO_PEERPIDFD, as a kernel before Linux 6.5 does. */
struct service service_start_by_number(const char *option);

/* The same with no more capabilities than contrib/systemd/idmountd.service has. */
struct service service_start_as_unit(const char *option);

/* The same with no more than FEW_FDS descriptors, and without a capability to have more. */
#define FEW_FDS 2048
struct service service_start_with_few_fds(const char *option);

/*
 * The same below a filter that holds all its calls: see start_program_held(). The caller lets them
 * happen from then on, and stops it with service_stop_held().
 */
struct service service_start_held(int *listener);
void service_stop_held(struct service *service, int listener);

/* The first child of the service; 0: it has none. */
pid_t service_worker(const struct service *service);

/* Executes it with these arguments, and standard error to LOG_PATH. Does not return. */
void service_execute(char *const argv[]) __attribute__((noreturn));

/* Stops it, which must succeed. */
void service_stop(struct service *service);

/* All that it has logged; to free(). */
char *service_log(void);

unsigned int service_fds(const struct service *service);

/* SCRATCH, with DATA: a directory of USER's with one file "ID" each of some IDs. */
void enter_with_data(void);

/* ---- clients ---- */

/* What a client is, before it enters its user namespace. */
struct identity {
	uint32_t uid, gid;
	uint32_t group;	     /* a supplementary one; 0: none */
	const char *map;     /* of its user namespace, both sides; NULL: it has none */
	const char *gid_map; /* if that is another one */
	bool deny_setgroups;
	bool no_new_privs;
};

#define ORDINARY ((struct identity){ .uid = USER, .gid = USER, .map = RANGES })

/* The calling process becomes one, in user and mount namespaces of its own. It is root there. */
void become_client(const struct identity *who);

/* Runs `body` in such a process, and fails or skips with it. */
void as_client(struct identity who, void (*body)(void *), void *arg);

/* The ends of two pipes: a client says that it is ready, and reads until it may go on. */
struct race {
	int ready, go;
	void *data;
};

/*
 * Runs `attack` with a struct race as an ordinary client. The service is stopped until the client is
 * ready.
 */
void race_with_service(void (*attack)(void *), void *data);

/* A descriptor of another process. */
int get_fd(pid_t pid, int number);

/* A user namespace with this map, in that of another client. Root gets it from that process. */
int userns_of_client(struct identity who, const char *map);

/* ---- random subjects, files and maps ---- */

/* The IDs of a namespace with FEW_IDS come first. */
#define FEW_IDS "0 1500 1\n1 200000 3\n" MANY_IDS
extern const uint32_t some_owners[6], some_groups[6];

/* As the kernel stores an ACL. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, permissions;
		uint32_t id;
	} entries[6];
};

/* Sets a POSIX ACL with one of these as named user and group. */
void add_random_acl(struct rng *rng, const char *path);

/* What a process of a client can be, in the client's namespace. */
struct subject {
	uint32_t uid, gid;
	bool drop_groups, with_capabilities;
};

/* The calling process becomes that. Returns false if it cannot. */
bool become_subject(const struct subject *s);

/* Adds to the text of a map: some of the first `n` IDs of `disk`, as some of 0 to n - 1. */
void add_random_side(struct rng *rng, char *text, char kind, const uint32_t *disk, uint32_t n);

/* What a service without a rule would do: maps a tree by descriptors of another process. */
void map_without_rule(pid_t pid, int tree, int userns);

/* A child that does so for processes with the other end of its socket. */
struct mapper {
	pid_t pid;
	int socket;
};
struct mapper mapper_start(void);
void mapper_ask(const struct mapper *mapper, int tree, int userns);
void mapper_end(struct mapper *mapper);

/* A detached tree. */
int clone_tree(const char *path);

/* For neighbour_start(): a new user namespace without a map. */
void unshare_into_userns(void *unused);

/* ---- messages ---- */

int connect_service(void);

/* Returns when the service has accepted all connections that were made before. */
void await_turn(void);

/* -1: the queue of the listening socket is full. The connection does not block. */
int connect_without_waiting(void);

/* A message of any length, with descriptors and credentials (NULL: none). */
void send_message(int connection, const void *data, size_t size, const int *fds, size_t n_fds,
		  const struct ucred *credentials);
void send_request(int connection, uint32_t operation, const int *fds, size_t n_fds);

/* Answers a challenge. */
void send_proof(int connection, const struct idm_service_reply *challenge);

/* Waits for it. Fails if the service closes the connection instead. */
struct idm_service_reply receive_reply(int connection);

/* The service closes the connection. */
void assert_closed(int connection);

/* A whole request; the last reply. Each that is not a success has a reason. */
struct idm_service_reply ask(int tree, int userns);

/* The same with a new user namespace of this map, and a tree of this path. */
struct idm_service_reply ask_for(const char *path, const char *map);

void assert_refused_at(const char *file, int line, const struct idm_service_reply *reply, int code,
		       const char *reason);
#define assert_refused(reply, code, reason)                     \
	({                                                      \
		struct idm_service_reply reply_ = (reply);      \
		assert_refused_at(HERE, &reply_, code, reason); \
	})
#define assert_mapped(reply)                               \
	({                                                 \
		struct idm_service_reply reply_ = (reply); \
		assert_string_equal(reply_.reason, "");    \
		assert_int_equal(reply_.result, 0);        \
	})

/* The owner of a file as this process sees it. */
struct owner owner_at(int dir, const char *name);

#endif
