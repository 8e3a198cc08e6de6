// SPDX-License-Identifier: MIT
/*
 * What a request to idmountd costs: a client in a user namespace opens a mapped tree of a directory,
 * beside root, which does the same by itself. All have their user namespaces with the maps already. One
 * map shows another owner of the directory than before. With the other the client has to look closer, to
 * see that the directory is mapped.
 *
 * The lower bound is a service that exchanges two messages, reads one file about the client and judges
 * nothing, in one process. Beside it is the same with a child for each request.
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
#define FORKING PLACE "/forking"
#define BARE PLACE "/bare"
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

static void open_by_forking_service(void)
{
	open_barely(FORKING);
}

static void open_by_bare_service(void)
{
	open_barely(BARE);
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

enum { OURS, ROOT, FORKING_ONE, BARE_ONE, SAME_OWNER };

#define BY_SERVICE "a mapped tree by idmountd"

static const struct row rows[] = {
	{ .question = BY_SERVICE,
	  .ours = OURS,
	  .yardstick = ROOT,
	  .lower_bound = BARE_ONE,
	  .at_most = 3 },
	{ .question = BY_SERVICE, .ours = OURS, .yardstick = FORKING_ONE, .lower_bound = NO_WAY },
	{ .question = BY_SERVICE, .ours = OURS, .yardstick = BARE_ONE, .lower_bound = NO_WAY },
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
		[FORKING_ONE] = { .name = "bare service that forks", .go = open_by_forking_service },
		[BARE_ONE] = { .name = "bare service", .go = open_by_bare_service },
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
	pid_t service, forking, bare, user;

	enter_place();
	check(mkdir(DIRECTORY, 0755), DIRECTORY);
	check(chown(DIRECTORY, ORDINARY_USER, ORDINARY_USER), DIRECTORY);
	service = start_service(SOCKET);
	forking = start_bare_service(FORKING, true);
	bare = start_bare_service(BARE, false);
	check(chmod(FORKING, 0666), FORKING);
	check(chmod(BARE, 0666), BARE);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, client), "socketpair");
	user = start_ordinary_child(follow_orders, NULL);
	open_both_userns();
	measure_requests();
	stop_child(user);
	stop_child(bare);
	stop_child(forking);
	stop_child(service);
	return 0;
}
