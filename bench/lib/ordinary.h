/* SPDX-License-Identifier: MIT */
/* An ordinary user's namespaces, idmountd, and the programs of the build, for the benchmarks. */
#ifndef IDM_LIB_ORDINARY_H
#define IDM_LIB_ORDINARY_H

#include <stdbool.h>
#include <sys/types.h>

/* As from an account with one range of subordinate IDs. Its namespace has ORDINARY_MAP. */
#define ORDINARY_USER 1500
#define SUBORDINATE_IDS 200000
#define ORDINARY_MAP "0 1500 1\n1 200000 20000\n"

/* The path of a program in the build directory. This one is a directory below it. */
const char *built_program(const char *name);
bool has_program(const char *name); /* in PATH */

/* A child that runs `run` and exits. It is killed when this process exits. */
pid_t start_child(void (*run)(void *data), void *data);
/* The same, as root of a user namespace of the ordinary user and of a mount namespace. */
pid_t start_ordinary_child(void (*run)(void *data), void *data);
/* The same in a user namespace below that of the caller, with this map, as its ID 0. */
pid_t start_contained_child(const char *map, void (*run)(void *data), void *data);

void await_child(pid_t pid); /* dies if it fails */
void stop_child(pid_t pid);

/* idmountd at this socket, which is in the environment of later children. IDMOUNTD names another one. */
pid_t start_service(const char *socket);

#endif
