// SPDX-License-Identifier: MIT
/* Executes runc with the same arguments, and does nothing else: the least that a front adds. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	(void)argc;
	execvp("runc", argv);
	perror("runc");
	return 1;
}
