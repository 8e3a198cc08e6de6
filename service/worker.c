// SPDX-License-Identifier: MIT
/*
 * The order is: cheap facts first, then the map, then the proof, then the system call. Between the proof
 * and the call the service only confirms that the look at the client still holds.
 */
#include "worker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "handed.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "log.h"
#include "peer.h"
#include "request.h"

struct exchange {
	int connection;
	bool any_directory;
	struct peer peer;
	struct message message;
	uint64_t parent_inode; /* of the parent of the handed user namespace, which is open */
	struct tree_facts tree;
	struct idm_map *map; /* of the handed user namespace */
	struct challenge_id uid, gid;
	struct idm_service_reply reply;
	struct look look; /* its end has space for many groups, which a request seldom touches */
};

enum { TREE, USERNS };

/* The one that connected and the one that sends are the same. */
static int check_sender(struct exchange *x)
{
	if (x->message.sender.pid == x->peer.connected.pid)
		return 0;
	if (!x->message.sender.pid) {
		refuse_request(&x->reply, -EPERM, "the message came without credentials");
		add_advice(&x->reply,
			   "the socket needs SO_PASSCRED from its creation on: PassCredentials=yes "
			   "in its systemd unit");
		return -EPERM;
	}
	return refuse_request(&x->reply, -EPERM,
			      "process %d sent the message, but process %d made the connection",
			      (int)x->message.sender.pid, (int)x->peer.connected.pid);
}

/* The message is read in any case: the client gets no reply if the service closes before that. */
static int receive_request(struct exchange *x)
{
	int found = find_peer(x->connection, &x->peer, &x->reply);
	int r = receive_message(x->connection, IDM_SERVICE_MAP, REQUEST_FDS, &x->message, &x->reply);

	if (r == 0)
		r = found;
	return r < 0 ? r : check_sender(x);
}

static int judge_userns(struct exchange *x)
{
	int r = open_parent_userns(x->message.fds[USERNS], &x->parent_inode, &x->reply);

	x->look.facts.parent_is_initial = x->parent_inode == IDM_INITIAL_USERNS_INODE;
	if (r >= 0)
		r = look_at_peer(&x->peer, x->parent_inode, &x->look, &x->reply);
	return r < 0 ? r : judge_caller(&x->look.facts, &x->reply);
}

static int judge_handed(struct exchange *x)
{
	const struct idm_map *parent = x->look.facts.parent;
	int r = look_at_tree(x->message.fds[TREE], &x->tree, &x->reply);

	if (r == 0)
		r = judge_tree(&x->tree, parent, x->any_directory, &x->reply);
	if (r == 0)
		r = read_handed_map(x->map, x->message.fds[USERNS], &x->reply);
	return r < 0 ? r : judge_map(x->map, &x->look.facts, &x->reply);
}

/* ---- the proof ---- */

/*
 * IDs that the client may have without CAP_SETUID. Those that it had when it connected and when it sent
 * the request come first: these are not of a program that it has executed since.
 */
static bool choose_side(const struct exchange *x, unsigned int kind, uint32_t connected, uint32_t sent,
			const uint32_t now[3], struct challenge_id *id)
{
	const uint32_t avoid[] = { connected, sent, now[0], now[1], now[2] };

	return choose_challenge(x->look.facts.parent, kind, avoid, ARRAY_SIZE(avoid), id);
}

/*
 * A proof from before the look shows what the client was then. It can have executed a setuid program
 * since.
 */
static int refuse_early_proof(struct exchange *x)
{
	char byte;
	ssize_t n = recv(x->connection, &byte, 1, MSG_DONTWAIT);

	if (n > 0)
		return refuse_request(&x->reply, -EPERM, "the proof came before the challenge");
	return n < 0 && errno == EAGAIN ? 0 : -ECONNRESET;
}

static int send_challenge(struct exchange *x)
{
	const struct ucred *connected = &x->peer.connected, *sent = &x->message.sender;

	if (!choose_side(x, IDM_UID, connected->uid, sent->uid, x->look.uids, &x->uid) ||
	    !choose_side(x, IDM_GID, connected->gid, sent->gid, x->look.gids, &x->gid))
		return refuse_request(&x->reply, -EPERM, "the caller's user namespace has no map");
	x->reply = (struct idm_service_reply){ .version = IDM_SERVICE_VERSION,
					       .state = IDM_SERVICE_CHALLENGE,
					       .uid = x->uid.inside,
					       .gid = x->gid.inside };
	send_reply(x->connection, &x->reply);
	return 0;
}

static int receive_proof(struct exchange *x)
{
	struct message proof;
	int r = receive_message(x->connection, IDM_SERVICE_PROVE, 0, &proof, &x->reply);

	if (r < 0)
		return r;
	x->message.sender = proof.sender;
	r = check_sender(x);
	if (r < 0)
		return r;
	if (proof.sender.uid == x->uid.host && proof.sender.gid == x->gid.host)
		return 0;
	refuse_request(&x->reply, -EPERM, "the proof has uid %u and gid %u, expected %u and %u",
		       proof.sender.uid, proof.sender.gid, x->uid.host, x->gid.host);
	add_advice(&x->reply, "a caller with CAP_SETUID and CAP_SETGID can send these");
	return -EPERM;
}

static int demand_proof(struct exchange *x)
{
	int r = refuse_early_proof(x);

	if (r == 0)
		r = send_challenge(x);
	if (r == 0)
		r = receive_proof(x);
	if (r < 0)
		return r;
	r = confirm_look(&x->peer, x->parent_inode, &x->look, &x->reply);
	return r < 0 ? r : judge_caller(&x->look.facts, &x->reply);
}

/* ---- the whole ---- */

/*
 * The client can attach the tree when it has the reply, and unmount it again. A descriptor of this
 * process would make it busy. Of a refused request, which can have any files, none is closed here.
 */
static int map_and_close_tree(struct exchange *x)
{
	int r = map_tree(x->message.fds[TREE], x->message.fds[USERNS], &x->reply);

	if (r == 0)
		close(x->message.fds[TREE]);
	return r;
}

static int carry_out(struct exchange *x)
{
	int r = receive_request(x);

	if (r == 0)
		r = judge_userns(x);
	if (r == 0)
		r = judge_handed(x);
	if (r == 0)
		r = demand_proof(x);
	return r < 0 ? r : map_and_close_tree(x);
}

/*
 * The process exits after this, which releases everything. That can take as long as a file of the
 * client's cannot be closed. The client sees the end of the connection before.
 */
int serve_client(int connection, const struct ucred *client, bool any_directory,
		 const bool quiet[LOG_KINDS])
{
	static _Alignas(4096) struct exchange x; /* most of it in one page */
	int r;

	x.connection = connection;
	x.peer.connected = *client;
	x.any_directory = any_directory;
	if (idm_map_new(&x.map) < 0)
		r = refuse_request(&x.reply, -ENOMEM, "out of memory");
	else
		r = carry_out(&x);
	if (r == -ECONNRESET)
		refuse_request(&x.reply, r, "the client closed the connection");
	if (r == 0)
		x.reply = (struct idm_service_reply){ .version = IDM_SERVICE_VERSION,
						      .state = IDM_SERVICE_DONE };
	if (!quiet[r == 0 ? LOG_MAPPED : LOG_REFUSED])
		log_request(&x.peer.connected, &x.tree, x.map, &x.reply);
	send_reply(connection, &x.reply);
	shutdown(connection, SHUT_RDWR);
	return r;
}
