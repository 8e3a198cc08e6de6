// SPDX-License-Identifier: MIT
/*
 * One request, on a connection of its own. Nothing that the other side does can block the caller for
 * long, signal it, or leave descriptors with it.
 */
#include "service-client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/service-wire.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"
#include "lib/userns/userns-diag.h"

static const enum idm_error_step step_ask = IDM_STEP_ASK_SERVICE;

struct exchange {
	int socket;
	const char *path; /* of the socket */
	struct idm_error *err;
};

static const char *get_named_socket(void)
{
	const char *path = secure_getenv(IDM_SERVICE_SOCKET_ENV);

	return path && *path ? path : NULL;
}

const char *idm_service_socket(void)
{
	const char *path = get_named_socket();

	return path ? path : IDM_SERVICE_SOCKET;
}

bool idm_service_has_socket(void)
{
	struct stat st;

	return idm_sys_fstatat(AT_FDCWD, idm_service_socket(), &st, 0) == 0 && S_ISSOCK(st.st_mode);
}

/* Only the default socket has a unit of systemd. */
void idm_service_print_start(char *text, size_t size)
{
	const char *path = idm_service_socket();

	if (strcmp(path, IDM_SERVICE_SOCKET) == 0)
		snprintf(text, size, "systemctl start idmountd.socket, or by idmountd");
	else if (*path != '/')
		snprintf(text, size,
			 "idmountd --socket PATH; " IDM_SERVICE_SOCKET_ENV
			 " has a relative path, which depends on the working directory");
	else
		snprintf(text, size, "idmountd --socket %s (from " IDM_SERVICE_SOCKET_ENV ")", path);
}

/* ---- failures of the exchange ---- */

static int fail_silent(const struct exchange *x)
{
	return idm_fail(x->err, -ETIMEDOUT, step_ask, x->path, "idmountd did not answer in %d seconds",
			IDM_SERVICE_TIMEOUT_MS / 1000);
}

static int fail_closed(const struct exchange *x)
{
	return idm_fail(x->err, -EPROTO, step_ask, x->path,
			"idmountd closed the connection without a reply");
}

/* ---- its parts ---- */

static int connect_socket(const struct exchange *x)
{
	struct timespec deadline;

	idm_sys_deadline(&deadline, IDM_SERVICE_TIMEOUT_MS);
	return idm_sys_connect_unix(x->socket, x->path, &deadline);
}

/* 1: no service runs. */
static int connect_service(struct exchange *x)
{
	int r;

	x->socket = idm_sys_packet_socket();
	if (x->socket < 0)
		return idm_fail_errno(x->err, x->socket, step_ask, NULL);
	r = connect_socket(x);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return 1;
	if (r == -ETIMEDOUT)
		return fail_silent(x);
	if (r == 0)
		return 0;
	idm_fail_errno(x->err, r, step_ask, x->path);
	if (get_named_socket())
		idm_hint(x->err, IDM_SERVICE_SOCKET_ENV " in the environment names this socket");
	return r;
}

/*
 * A service that has too much to do may reply and close the connection before it reads the request. So
 * a connection that is closed is left to receive_reply().
 */
static int send_request(const struct exchange *x, uint32_t operation, struct idm_packet packet)
{
	const struct idm_service_request request = { IDM_SERVICE_VERSION, operation };
	int r;

	packet.data = &request;
	packet.size = sizeof(request);
	r = idm_sys_send_packet(x->socket, &packet);
	if (r == 0 || r == -EPIPE || r == -ECONNRESET)
		return 0;
	if (r == -EPERM && packet.as_sender)
		return idm_fail(x->err, r, step_ask, x->path,
				"it requires CAP_SETUID and CAP_SETGID in the user namespace");
	return idm_fail_errno(x->err, r, step_ask, x->path);
}

static int check_reply(const struct exchange *x, const struct idm_service_reply *reply, size_t size)
{
	if (size >= sizeof(reply->version) && reply->version != IDM_SERVICE_VERSION)
		return idm_fail(x->err, -EPROTO, step_ask, x->path,
				"expected a reply of version %u, got version %u", IDM_SERVICE_VERSION,
				reply->version);
	if (size != sizeof(*reply))
		return idm_fail(x->err, -EPROTO, step_ask, x->path,
				"expected a reply of %zu bytes, got %zu", sizeof(*reply), size);
	if (!memchr(reply->reason, '\0', sizeof(reply->reason)) ||
	    !memchr(reply->hint, '\0', sizeof(reply->hint)))
		return idm_fail(x->err, -EPROTO, step_ask, x->path, "a text of the reply has no end");
	if (reply->state != IDM_SERVICE_DONE && reply->state != IDM_SERVICE_CHALLENGE)
		return idm_fail(x->err, -EPROTO, step_ask, x->path, "unknown state %u in the reply",
				reply->state);
	if (reply->result > 0 || reply->result < -4095)
		return idm_fail(x->err, -EPROTO, step_ask, x->path,
				"expected 0 or a negative errno as result, got %d", reply->result);
	return 0;
}

/* ECONNRESET: the service left the request unread. The kernel reports that once, before the reply. */
static ssize_t receive_packet(const struct exchange *x, void *buf, size_t size)
{
	ssize_t n = idm_sys_receive_packet(x->socket, buf, size);

	return n == -ECONNRESET ? idm_sys_receive_packet(x->socket, buf, size) : n;
}

static int receive_reply(const struct exchange *x, struct idm_service_reply *reply)
{
	struct timespec deadline;
	ssize_t n;

	idm_sys_deadline(&deadline, IDM_SERVICE_TIMEOUT_MS);
	n = idm_sys_poll_until(x->socket, POLLIN, &deadline);
	if (n == 0)
		return fail_silent(x);
	if (n > 0)
		n = receive_packet(x, reply, sizeof(*reply));
	if (n == 0 || n == -ECONNRESET)
		return fail_closed(x);
	if (n < 0)
		return idm_fail_errno(x->err, (int)n, step_ask, x->path);
	return check_reply(x, reply, (size_t)n);
}

/* Shows that this process could be the owner of the IDs: service-wire.h has the reason. */
static int answer_challenge(const struct exchange *x, struct idm_service_reply *reply)
{
	struct idm_packet proof = { .as_sender = true, .uid = reply->uid, .gid = reply->gid };
	int r = send_request(x, IDM_SERVICE_PROVE, proof);

	if (r == 0)
		r = receive_reply(x, reply);
	if (r == 0 && reply->state == IDM_SERVICE_CHALLENGE)
		r = idm_fail(x->err, -EPROTO, step_ask, x->path, "idmountd asked for a second proof");
	return r;
}

static int request_map(struct exchange *x, int tree_fd, int userns_fd, struct idm_service_reply *reply)
{
	struct idm_packet request = { .n_fds = 2, .fds = { tree_fd, userns_fd } };
	int r = connect_service(x);

	if (r == 0)
		r = send_request(x, IDM_SERVICE_MAP, request);
	if (r == 0)
		r = receive_reply(x, reply);
	return r == 0 && reply->state == IDM_SERVICE_CHALLENGE ? answer_challenge(x, reply) : r;
}

static bool has_disk_gid(int userns_fd, uint32_t id)
{
	struct idm_map *map;
	uint32_t seen;
	bool has;

	if (idm_map_new(&map) < 0)
		return false;
	has = idm_map_add_userns(map, userns_fd, NULL) == 0 &&
	      idm_map_to_seen(map, IDM_GID, id, &seen) == 0;
	idm_map_free(map);
	return has;
}

/*
 * The service does not read /etc/subuid. This process finds the line that is missing there. The service
 * refuses the uid before it looks at a gid of the same number.
 */
static void hint_missing_id(const char *reason, int userns_fd, struct idm_error *err)
{
	unsigned int id;
	char kind;

	if (!err || sscanf(reason, "disk %cid %u of the map is not", &kind, &id) != 2)
		return;
	if (kind == 'u')
		idm_hint_disk_id(has_disk_gid(userns_fd, id) ? IDM_BOTH : IDM_UID, id, err);
	else
		idm_hint_disk_id(IDM_GID, id, err);
}

static void hint_busy(int code, struct idm_error *err)
{
	if (code == -EAGAIN)
		idm_hint(err, "it stayed so for %d seconds; other requests may wait or hang: see ss -xp",
			 IDM_SERVICE_TIMEOUT_MS / 1000);
}

static int report_refusal(const struct idm_service_reply *reply, int userns_fd, const char *source,
			  struct idm_error *err)
{
	idm_fail_because(err, reply->result, step_ask, source, *reply->reason ? reply->reason : NULL);
	if (*reply->hint)
		idm_hint(err, "%s", reply->hint);
	hint_missing_id(reply->reason, userns_fd, err);
	hint_busy(reply->result, err);
	return reply->result;
}

/* ---- a service that has too much to do ---- */

#define FIRST_PAUSE_MS 10
#define LONGEST_PAUSE_MS 320

/* Clients that were refused together do not come again together. False: the time is over. */
static bool pause_until(const struct timespec *deadline, unsigned int *pause_ms)
{
	struct timespec now;
	unsigned int pause = *pause_ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > deadline->tv_sec ||
	    (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec))
		return false;
	idm_sys_sleep(pause + (unsigned int)(now.tv_nsec / 1000 % pause));
	*pause_ms = pause < LONGEST_PAUSE_MS ? pause * 2 : pause;
	return true;
}

/* EAGAIN: the service, or this user's share of it, is in use by other requests, which take no time. */
static int request_until_done(struct exchange *x, int tree_fd, int userns_fd,
			      struct idm_service_reply *reply)
{
	unsigned int pause_ms = FIRST_PAUSE_MS;
	struct timespec deadline;
	int r;

	idm_sys_deadline(&deadline, IDM_SERVICE_TIMEOUT_MS);
	do {
		*reply = (struct idm_service_reply){ 0 };
		r = request_map(x, tree_fd, userns_fd, reply);
		idm_close_fd(&x->socket);
	} while (r == 0 && reply->result == -EAGAIN && pause_until(&deadline, &pause_ms));
	return r;
}

int idm_service_map(int tree_fd, int userns_fd, const char *source, struct idm_error *err)
{
	struct exchange x = { .socket = -1, .path = idm_service_socket(), .err = err };
	struct idm_service_reply reply;
	int r = request_until_done(&x, tree_fd, userns_fd, &reply);

	if (r != 0)
		return r;
	return reply.result < 0 ? report_refusal(&reply, userns_fd, source, err) : 0;
}

int idm_service_try(void)
{
	const struct exchange x = { .socket = idm_sys_packet_socket(), .path = idm_service_socket() };
	int r = x.socket < 0 ? x.socket : connect_socket(&x);

	if (x.socket >= 0)
		close(x.socket);
	return r;
}
