/* SPDX-License-Identifier: MIT */
/*
 * The messages between a client and idmountd, over a SOCK_SEQPACKET unix socket. A connection has one
 * request:
 *
 *   client   IDM_SERVICE_MAP, with two descriptors as SCM_RIGHTS: the tree, the user namespace
 *   service  IDM_SERVICE_DONE for a refusal, else IDM_SERVICE_CHALLENGE with two IDs
 *   client   IDM_SERVICE_PROVE, with SCM_CREDENTIALS: its process number, and these two IDs
 *   service  IDM_SERVICE_DONE, and closes the connection
 *
 * The kernel accepts credentials with other IDs than the sender's own only from a sender that has
 * CAP_SETUID and CAP_SETGID in its user namespace. So it tells the service that the client had these
 * when it sent the message. /proc shows only what a process has later, for example after execve(2) of a
 * setuid program.
 *
 * One process makes the connection and sends both requests, the second one after the challenge. It
 * executes no program in between, and keeps its effective uid. Both sides run on the same machine, so
 * numbers have its byte order.
 */
#ifndef IDM_BASE_SERVICE_WIRE_H
#define IDM_BASE_SERVICE_WIRE_H

#include <stdint.h>

#define IDM_SERVICE_SOCKET "/run/idmount/idmountd.sock"
#define IDM_SERVICE_SOCKET_ENV "IDMOUNTD_SOCKET"
#define IDM_SERVICE_VERSION 1U

/*
 * What uid_map and gid_map of the handed user namespace may have. podman needs one line for each range of
 * the user in /etc/subuid, and three more.
 */
#define IDM_SERVICE_MAP_LINES 32U

enum idm_service_operation {
	IDM_SERVICE_MAP = 1,
	IDM_SERVICE_PROVE = 2,
};

struct idm_service_request {
	uint32_t version;
	uint32_t operation;
};

enum idm_service_state {
	IDM_SERVICE_DONE = 0,
	IDM_SERVICE_CHALLENGE = 1,
};

struct idm_service_reply {
	uint32_t version;
	uint32_t state;
	int32_t result; /* 0 or -errno */
	uint32_t uid;	/* of a challenge; in the client's user namespace */
	uint32_t gid;
	char reason[244]; /* both end with a NUL; empty: nothing to say */
	char hint[256];
};

#endif
