#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs a command as user 1000 in a pod that follows the "restricted" standard, and prints its output.

cri.py SOCKET PROTO-DIRECTORY IMAGE CGROUP NAMESPACE VOLUME COMMAND [KEY=VALUE]...

VOLUME of the node is at /data; KEY=VALUE are the pod's annotations. POD in the environment is the pod's name. READ_ONLY
makes the volume read-only, and USER_ID is another user."""
import os
import sys

import grpc

socket, protos, image, cgroup, namespace, volume, command = sys.argv[1:8]
sys.path.insert(0, protos)
import cri_pb2 as cri  # noqa: E402

pod_name = os.environ.get("POD", "pod")
user = cri.Int64Value(value=int(os.environ.get("USER_ID", "1000")))
annotations = dict(pair.split("=", 1) for pair in sys.argv[8:])
channel = grpc.insecure_channel("unix://" + socket)


def call(name, request, answer=cri.Empty):
    method = channel.unary_unary(
        "/runtime.v1.RuntimeService/" + name,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    return method(request, timeout=120)


# The pod shares the node's network, so no network has to be set up.
node_network = cri.NamespaceOption(network=2, pid=1)
sandbox = cri.Sandbox(
    metadata=cri.PodMetadata(name=pod_name, uid=pod_name, namespace=namespace),
    annotations=annotations,
    linux=cri.LinuxSandbox(
        cgroup_parent=cgroup,
        security_context=cri.SandboxSecurity(namespace_options=node_network),
    ),
)
container = cri.Container(
    metadata=cri.ContainerMetadata(name="box"),
    image=cri.ImageSpec(image=image),
    command=["sleep", "1000"],
    mounts=[cri.Mount(container_path="/data", host_path=volume, readonly=bool(os.environ.get("READ_ONLY")))],
    linux=cri.LinuxContainer(
        security_context=cri.ContainerSecurity(
            capabilities=cri.Capability(drop_capabilities=["ALL"]),
            namespace_options=node_network,
            run_as_user=user,
            run_as_group=user,
            no_new_privs=True,
        )
    ),
)


def run(pod):
    made = call(
        "CreateContainer",
        cri.CreateContainer(pod_sandbox_id=pod.pod_sandbox_id, config=container, sandbox_config=sandbox),
        cri.ContainerID,
    )
    call("StartContainer", made)
    done = call(
        "ExecSync",
        cri.Exec(container_id=made.container_id, cmd=["sh", "-c", command], timeout=60),
        cri.ExecResult,
    )
    sys.stdout.write((done.stdout + done.stderr).decode())
    return done.exit_code


try:
    pod = call("RunPodSandbox", cri.RunSandbox(config=sandbox, runtime_handler="idmount"), cri.SandboxID)
    try:
        code = run(pod)
    finally:
        call("StopPodSandbox", pod)
        call("RemovePodSandbox", pod)
except grpc.RpcError as error:
    sys.exit(error.details())
sys.exit(code)
