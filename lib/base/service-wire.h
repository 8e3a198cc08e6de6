/* SPDX-License-Identifier: MIT */
/*
 * The messages between a client and idmountd, over a SOCK_SEQPACKET unix socket. A connection has one
 * request:
 *
 *   client   a request IDM_SERVICE_MAP, with two descriptors as SCM_RIGHTS: the tree, the user namespace
 *   service  a reply. IDM_SERVICE_CHALLENGE asks for a request IDM_SERVICE_PROVE without descriptors, by
 * which the kernel shows once more which process the client is (before Linux 6.5). Another reply
 * follows. service  closes the connection after a reply IDM_SERVICE_DONE
 *
 * Both sides run on the same machine, so numbers have its byte order.
 */
#ifndef IDM_BASE_SERVICE_WIRE_H
#define IDM_BASE_SERVICE_WIRE_H

#include <stdint.h>

#define IDM_SERVICE_SOCKET "/run/idmount/idmountd.sock"
#define IDM_SERVICE_SOCKET_ENV "IDMOUNTD_SOCKET"
#define IDM_SERVICE_VERSION 1U

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
	int32_t result;	  /* 0 or -errno */
	char reason[244]; /* both end with a NUL; empty: nothing to say */
	char hint[256];
};

#endif
