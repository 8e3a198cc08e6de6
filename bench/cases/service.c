// SPDX-License-Identifier: MIT
/*
 * What a request to idmountd costs: a client in a user namespace opens a mapped tree of a directory,
 * beside root, which does the same by itself. All have their user namespaces with the maps already. One
 * map shows another owner of the directory than before. With the other the client has to look closer, to
 * see that the directory is mapped.
 *
 * The lower bound is a service that exchanges two messages, reads one file about the client and judges
 * nothing, in one process. Beside it are services that make the system calls of one more part of the
 * proof each, by bare calls. The last one makes all.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/lib/bare-service.h"
#include "bench/lib/measure.h"
#include "bench/lib/ordinary.h"

#define DIRECTORY PLACE "/directory"
#define SOCKET PLACE "/socket"
#define CHANGING_MAP "200000:0:1,1500:1:1,200001:2:998"
#define KEEPING_MAP "1500:0:1,200000:1:999"

static int changing = -1, keeping = -1; /* user namespaces with these maps */
static int client[2];			/* ends of a socket: of this process, of the client */

/* ---- the ways ---- */

static int open_userns(const char *text)
{
	struct idm_map *map = new_map(text);
	struct idm_error err;
	int userns = check_idm(idm_userns_open(map, 0, &err), &err);

	idm_map_free(map);
	return userns;
}

static void open_both_userns(void)
{
	changing = open_userns(CHANGING_MAP);
	keeping = open_userns(KEEPING_MAP);
}

static void open_tree_with(int userns, unsigned int flags)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;

	options.flags = flags;
	close(check_idm(idm_tree_open(AT_FDCWD, DIRECTORY, userns, &options, &err), &err));
}

static void open_as_root(void)
{
	open_tree_with(changing, 0);
}

static void open_by_service(void)
{
	open_tree_with(changing, IDM_TREE_SERVICE);
}

static void open_with_same_owner(void)
{
	open_tree_with(keeping, IDM_TREE_SERVICE);
}

static void open_barely(const char *socket_path)
{
	int tree = (int)check(
		syscall(SYS_open_tree, AT_FDCWD, DIRECTORY, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
		"open_tree");

	map_by_bare_service(socket_path, tree, changing);
	close(tree);
}

/* From the least to all of the proof. */
static const struct {
	const char *socket;
	struct bare_kind kind;
} bare_services[] = {
	{ PLACE "/bare", { 0 } },
	{ PLACE "/challenges", { .challenges = true } },
	{ PLACE "/looks", { .challenges = true, .looks = true } },
	{ PLACE "/reads", { .challenges = true, .looks = true, .reads_handed = true } },
	{ PLACE "/proof", { .challenges = true, .looks = true, .reads_handed = true, .forks = true } },
	{ PLACE "/forks", { .forks = true } },
};

static void open_by_bare_service(void)
{
	open_barely(bare_services[0].socket);
}

static void open_with_challenge(void)
{
	open_barely(bare_services[1].socket);
}

static void open_with_looks(void)
{
	open_barely(bare_services[2].socket);
}

static void open_with_handed_map(void)
{
	open_barely(bare_services[3].socket);
}

static void open_with_all_of_the_proof(void)
{
	open_barely(bare_services[4].socket);
}

static void open_by_forking_service(void)
{
	open_barely(bare_services[5].socket);
}

/* ---- the client ---- */

struct order {
	void (*go)(void); /* the client is a fork of this process */
	int times;
};

static double order_client(const struct way *way)
{
	const struct order order = { way->go, way->times };
	double time;

	check(write(client[0], &order, sizeof(order)), "write");
	if (read(client[0], &time, sizeof(time)) != sizeof(time))
		die("the client");
	return time;
}

static void follow_orders(void *unused)
{
	struct order order;

	(void)unused;
	close(client[0]);
	open_both_userns();
	while (read(client[1], &order, sizeof(order)) == sizeof(order)) {
		const struct way way = { .go = order.go, .times = order.times };
		double time = measure_once(&way);

		check(write(client[1], &time, sizeof(time)), "write");
	}
}

enum { OURS, ROOT, BARE, CHALLENGING, LOOKING, READING, PROVEN, FORKING, SAME_OWNER };

#define BY_SERVICE "a mapped tree by idmountd"
#define BARELY BY_SERVICE ", bare calls"

static const struct row rows[] = {
	{ .question = BY_SERVICE, .ours = OURS, .yardstick = ROOT, .lower_bound = PROVEN, .at_most = 3 },
	{ .question = BY_SERVICE, .ours = OURS, .yardstick = PROVEN, .lower_bound = NO_WAY },
	{ .question = BARELY ": no proof", .ours = BARE, .yardstick = ROOT, .lower_bound = NO_WAY },
	{ .question = BARELY ": + challenge",
	  .ours = CHALLENGING,
	  .yardstick = ROOT,
	  .lower_bound = NO_WAY },
	{ .question = BARELY ": + two looks",
	  .ours = LOOKING,
	  .yardstick = ROOT,
	  .lower_bound = NO_WAY },
	{ .question = BARELY ": + handed map",
	  .ours = READING,
	  .yardstick = ROOT,
	  .lower_bound = NO_WAY },
	{ .question = BARELY ": + a process", .ours = PROVEN, .yardstick = ROOT, .lower_bound = NO_WAY },
	{ .question = BARELY ": a process alone",
	  .ours = FORKING,
	  .yardstick = ROOT,
	  .lower_bound = NO_WAY },
	{ .question = BY_SERVICE ", owner stays",
	  .ours = SAME_OWNER,
	  .yardstick = OURS,
	  .lower_bound = NO_WAY },
};

static void measure_requests(void)
{
	static struct measured m;
	struct way ways[] = {
		[OURS] = { .name = "the same, owner changes", .go = open_by_service },
		[ROOT] = { .name = "by root", .go = open_as_root },
		[BARE] = { .name = "bare service", .go = open_by_bare_service },
		[CHALLENGING] = { .name = "with challenge", .go = open_with_challenge },
		[LOOKING] = { .name = "with looks", .go = open_with_looks },
		[READING] = { .name = "with the handed map", .go = open_with_handed_map },
		[PROVEN] = { .name = "bare calls of the proof", .go = open_with_all_of_the_proof },
		[FORKING] = { .name = "bare service that forks", .go = open_by_forking_service },
		[SAME_OWNER] = { .name = "idmountd", .go = open_with_same_owner },
	};

	for (size_t w = 0; w < COUNT(ways); w++) {
		ways[w].times = times(50);
		ways[w].sample = w == ROOT ? NULL : order_client;
	}
	measure(&m, ways, COUNT(ways), rounds(51));
	report_all(&m, rows, COUNT(rows));
}

int main(void)
{
	pid_t service, bare[COUNT(bare_services)], user;

	enter_place();
	check(mkdir(DIRECTORY, 0755), DIRECTORY);
	check(chown(DIRECTORY, ORDINARY_USER, ORDINARY_USER), DIRECTORY);
	service = start_service(SOCKET);
	for (size_t i = 0; i < COUNT(bare); i++)
		bare[i] = start_bare_service(bare_services[i].socket, bare_services[i].kind);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, client), "socketpair");
	user = start_ordinary_child(follow_orders, NULL);
	open_both_userns();
	measure_requests();
	stop_child(user);
	for (size_t i = 0; i < COUNT(bare); i++)
		stop_child(bare[i]);
	stop_child(service);
	return 0;
}
