"""The pipeline as a job of Kubeflow Pipelines: its pipeline spec and its Kubernetes platform spec.

TFX's compiler writes for Vertex AI. What open-source Kubeflow Pipelines has no counterpart of is
replaced here by tasks that run a container: resolvers, and the driver of an ExampleGen.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import tfx.v1 as tfx
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.dsl.components.base import base_component, base_node
from tfx.dsl.components.common import resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts
from tfx.utils import name_utils

from components.atomic_pusher.component import AtomicPusher
from components.data_gate import DataGate
from components.image_example_gen.component import ImageExampleGen
from orchestration.kubeflow.executor_io import RESOLVED_KEY
from pipeline import run_parameters
from pipeline.config import KubeflowSettings
from pipeline.errors import UserError

_PACKAGE = __package__
_RETRY_BACKOFF = {"backoffDuration": "60s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}

_Spec = dict[str, Any]


class Job(NamedTuple):
    """What Kubeflow Pipelines takes as the two documents of one YAML file.

    Attributes:
      pipeline: PipelineSpec, schema 2.1, as a JSON object.
      platform: SinglePlatformSpec by platform, as a JSON object.
    """

    pipeline: _Spec
    platform: _Spec


def compile_job(
    pipeline: tfx.dsl.Pipeline, settings: KubeflowSettings, sample: Mapping[str, Any] | None = None
) -> Job:
    """Compiles a pipeline for the open-source backend.

    Args:
      pipeline: The pipeline; its paths are those that containers see.
      settings: Image, storage and resources.
      sample: Arguments of `stored_sample`, as JSON, if the data are to be drawn in a container.

    Raises:
      UserError: A name or a component that Kubeflow Pipelines can't take.
    """
    _request_resources(pipeline, settings)
    spec = _compiled(pipeline, settings)
    if settings.pipeline_root is not None:
        spec["defaultPipelineRoot"] = settings.pipeline_root
    tasks = spec["root"]["dag"]["tasks"]
    _default_parameters(spec, pipeline)
    if sample is not None:
        _fix_data(spec)
    _pass_types(spec, pipeline)
    for node in pipeline.components:
        if isinstance(node, resolver.Resolver):
            _replace_resolver(spec, node, pipeline, settings)
        elif issubclass(node.driver_class, FileBasedDriver):
            # One draws; the data of others, such as unlabelled images, are no sample.
            drawn = sample if node.id == ImageExampleGen.__name__ else None
            _add_driver(spec, node, settings, drawn)
        if isinstance(node, AtomicPusher):
            # Publishes nothing twice by itself, and the cache can't see what was rolled back.
            tasks[node.id].pop("cachingOptions", None)
    for name, task in tasks.items():
        # Data that the gate has stopped get no better by looking again.
        if settings.retries and name != DataGate.__name__:
            task["retryPolicy"] = {"maxRetryCount": settings.retries, **_RETRY_BACKOFF}
    _name_by_convention(spec)
    return Job(spec, _platform(spec, settings))


def _request_resources(pipeline: tfx.dsl.Pipeline, settings: KubeflowSettings) -> None:
    nodes = {node.id: node for node in pipeline.components}
    for name in settings.resources:
        if not isinstance(nodes.get(name), base_component.BaseComponent):
            raise UserError(
                f"The setting kubeflow.resources.{name} names no component of this pipeline."
            )
    for node in nodes.values():
        if not isinstance(node, base_component.BaseComponent):
            continue
        own = settings.resources.get(node.id)
        cpu = (own and own.cpu) or settings.cpu
        memory = (own and own.memory) or settings.memory
        asked = _resources(cpu, memory)
        if own is not None and own.gpus:
            asked.accelerator.resource_type = settings.gpu_type
            asked.accelerator.resource_count = str(own.gpus)
        node.with_platform_config(asked)


def _resources(
    cpu: str, memory: str
) -> pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec:
    return pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec(
        resource_cpu_request=cpu,
        resource_cpu_limit=cpu,
        resource_memory_request=memory,
        resource_memory_limit=memory,
    )


def _compiled(pipeline: tfx.dsl.Pipeline, settings: KubeflowSettings) -> _Spec:
    name = pipeline.pipeline_info.pipeline_name
    if "_" in name:
        raise UserError(
            f"Kubeflow Pipelines takes no underscore in a pipeline's name; set data.name to other "
            f"than {name!r}."
        )
    config = tfx.orchestration.experimental.KubeflowV2DagRunnerConfig(
        default_image=settings.image,
        default_commands=["python", "-m", f"{_PACKAGE}.entrypoint"],
        use_pipeline_spec_2_1=True,
    )
    runner = tfx.orchestration.experimental.KubeflowV2DagRunner(config)
    try:
        job = runner.run(pipeline, write_out=False)
    except NotImplementedError as error:
        # TFX's InfraValidator starts containers of its own, which a pod may not.
        raise UserError(
            f"Kubeflow Pipelines can't run a component of this pipeline ({error}); set "
            "serving_check.server to embedded or off."
        ) from None
    spec: _Spec = job["pipelineSpec"]
    return spec


def _default_parameters(spec: _Spec, pipeline: tfx.dsl.Pipeline) -> None:
    """Gives runtime parameters their defaults, which TFX's compiler leaves out."""
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for node in pipeline.components:
        for value in node.exec_properties.values():
            if isinstance(value, RuntimeParameter) and isinstance(value.default, str | int | float):
                declared[value.name]["defaultValue"] = value.default


def _fix_data(spec: _Spec) -> None:
    """Leaves no run other data: those of a job for the drawn sample have its name and history."""
    declared = spec["root"]["inputDefinitions"]["parameters"]
    constants = {
        one.name: declared.pop(one.name)["defaultValue"]
        for one in (run_parameters.DATA, run_parameters.SPAN)
    }
    for task in spec["root"]["dag"]["tasks"].values():
        given = task.get("inputs", {}).get("parameters", {})
        for name, source in given.items():
            if (parameter := source.get("componentInputParameter")) in constants:
                given[name] = {"runtimeValue": {"constant": constants[parameter]}}


def _pass_types(spec: _Spec, pipeline: tfx.dsl.Pipeline) -> None:
    """Tells entry points the types that TFX's compiler does not pass: of outputs and of protos."""
    executors = spec["deploymentSpec"]["executors"]
    for node in pipeline.components:
        if not isinstance(node, base_component.BaseComponent):
            continue
        component = spec["components"][node.id]
        outputs = json.dumps(component["outputDefinitions"], sort_keys=True)
        options = ["--json_serialized_outputs_spec_args", outputs]
        protos = {
            name: name_utils.get_full_name(parameter.type)
            for name, parameter in node.spec.PARAMETERS.items()
            if parameter.use_proto and name in component["inputDefinitions"]["parameters"]
        }
        if protos:
            options += ["--proto_parameters", json.dumps(protos, sort_keys=True)]
        executors[component["executorLabel"]]["container"]["args"][0:0] = options


def _replace_resolver(
    spec: _Spec, node: resolver.Resolver, pipeline: tfx.dsl.Pipeline, settings: KubeflowSettings
) -> None:
    """Puts a task that looks into the shared volume in the place of a query to ML Metadata.

    The component whose output is looked for writes it there too, as `_remembered` says. A resolver
    that finds nothing, as in a first run, emits an artifact that is marked so, and the entry point
    of its consumer leaves it out.
    """
    tasks, components = spec["root"]["dag"]["tasks"], spec["components"]
    executors = spec["deploymentSpec"]["executors"]
    # TFX makes two tasks of the resolver of the latest blessed model.
    old = [name for name in tasks if name.removeprefix(node.id) in ("", *_SPLIT)]
    definitions: _Spec = {}
    for name in old:
        component = components.pop(name)
        definitions |= component["outputDefinitions"]["artifacts"]
        del tasks[name], executors[component["executorLabel"]]
    used = set()
    for task in tasks.values():
        for source in _producers(task):
            if source["producerTask"] in old:
                source["producerTask"] = node.id
                used.add(source["outputArtifactKey"])
        if upstream := task.get("dependentTasks"):
            renamed = {node.id if name in old else name for name in upstream}
            task["dependentTasks"] = sorted(renamed)
    (key,) = used
    folder = f"{settings.workspace}/history/{pipeline.pipeline_info.pipeline_name}/{node.id}"
    _add_container_task(
        spec,
        node.id,
        settings,
        module="resolver",
        component={"outputDefinitions": {"artifacts": {key: definitions[key]}}},
        args=["--history", folder],
    )
    producer, remembered = _remembered(node, key, pipeline.components)
    container = executors[components[producer]["executorLabel"]]["container"]
    container["args"][0:0] = [*remembered, "--history", folder]


_SPLIT = ("-model-blessing-resolver", "-model-resolver")


def _producers(task: _Spec) -> Iterator[_Spec]:
    for source in task.get("inputs", {}).get("artifacts", {}).values():
        if "taskOutputArtifact" in source:
            yield source["taskOutputArtifact"]


def _remembered(
    node: resolver.Resolver, key: str, nodes: Iterable[base_node.BaseNode]
) -> tuple[str, list[str]]:
    """The component that makes what a resolver looks for, and the options by which it keeps it."""
    by_id = {other.id: other for other in nodes}
    wanted = node.raw_inputs[key]
    if node.exec_properties[resolver.RESOLVER_STRATEGY_CLASS] is LatestBlessedModelStrategy:
        (blessing,) = (
            channel
            for channel in node.raw_inputs.values()
            if channel.type is standard_artifacts.ModelBlessing
        )
        judge = by_id[blessing.producer_component_id]
        (name,) = (
            name
            for name, channel in judge.inputs.items()
            if channel.producer_component_id == wanted.producer_component_id
            and channel.type is wanted.type
        )
        (verdict,) = (
            name for name, channel in judge.outputs.items() if channel.type is blessing.type
        )
        return judge.id, ["--remember", name, "--remember_if", verdict]
    producer = by_id[wanted.producer_component_id]
    (name,) = (name for name, channel in producer.outputs.items() if channel.type is wanted.type)
    return producer.id, ["--remember", name]


def _add_driver(
    spec: _Spec,
    node: base_node.BaseNode,
    settings: KubeflowSettings,
    sample: Mapping[str, Any] | None,
) -> None:
    """Runs an ExampleGen's driver as a task before it.

    Its answer is a parameter, so that Kubeflow Pipelines' cache takes the same data for the same
    and others for others.
    """
    tasks, components = spec["root"]["dag"]["tasks"], spec["components"]
    name = f"{node.id}-driver"
    inputs = components[node.id]["inputDefinitions"]
    given = dict(inputs["parameters"])
    _add_container_task(
        spec,
        name,
        settings,
        module="driver",
        component={
            "inputDefinitions": {"parameters": given},
            "outputDefinitions": {"parameters": {RESOLVED_KEY: {"parameterType": "STRING"}}},
        },
        args=[
            "--driver_class_path",
            name_utils.get_full_name(node.driver_class),
            "--json_serialized_inputs_spec_args",
            json.dumps({"parameters": given}, sort_keys=True),
            *(["--sample", json.dumps(sample, sort_keys=True)] if sample is not None else []),
        ],
    )
    tasks[name]["inputs"] = {"parameters": dict(tasks[node.id]["inputs"]["parameters"])}
    inputs["parameters"][RESOLVED_KEY] = {"parameterType": "STRING"}
    tasks[node.id]["inputs"]["parameters"][RESOLVED_KEY] = {
        "taskOutputParameter": {"producerTask": name, "outputParameterKey": RESOLVED_KEY}
    }
    tasks[node.id].setdefault("dependentTasks", []).append(name)


def _add_container_task(
    spec: _Spec,
    name: str,
    settings: KubeflowSettings,
    module: str,
    component: _Spec,
    args: list[str],
) -> None:
    """Adds a task that is never cached."""
    label = f"{name}_executor"
    spec["components"][name] = {"executorLabel": label, **component}
    spec["root"]["dag"]["tasks"][name] = {
        "componentRef": {"name": name},
        "taskInfo": {"name": name},
    }
    spec["deploymentSpec"]["executors"][label] = {
        "container": {
            "image": settings.image,
            "command": ["python", "-m", f"{_PACKAGE}.{module}"],
            "args": ["--json_serialized_invocation_args", "{{$}}", *args],
            "resources": json_format.MessageToDict(_resources(settings.cpu, settings.memory)),
        }
    }


def _name_by_convention(spec: _Spec) -> None:
    """Names components and executors as kfp's compiler does, which its local runners count on."""
    executors = spec["deploymentSpec"]["executors"]
    spec["deploymentSpec"]["executors"] = renamed = {}
    for name, component in list(spec["components"].items()):
        label = f"exec-{name}"
        renamed[label] = executors[component["executorLabel"]]
        component["executorLabel"] = label
    spec["components"] = {f"comp-{name}": value for name, value in spec["components"].items()}
    for task in spec["root"]["dag"]["tasks"].values():
        task["componentRef"]["name"] = f"comp-{task['componentRef']['name']}"


def _platform(spec: _Spec, settings: KubeflowSettings) -> _Spec:
    """The shared volume and the secrets, for every container."""
    config = kubernetes_executor_config_pb2.KubernetesExecutorConfig()
    claim = config.pvc_mount.add(constant=settings.workspace_claim, mount_path=settings.workspace)
    claim.pvc_name_parameter.runtime_value.constant.string_value = settings.workspace_claim
    by_secret: dict[str, dict[str, str]] = {}
    for variable, reference in settings.secrets.items():
        name, key = reference.split("/")
        by_secret.setdefault(name, {})[variable] = key
    for name, keys in by_secret.items():
        secret = config.secret_as_env.add(secret_name=name)
        secret.secret_name_parameter.runtime_value.constant.string_value = name
        for variable, key in keys.items():
            secret.key_to_env.add(secret_key=key, env_var=variable)
    executors = {
        label: json_format.MessageToDict(config) for label in spec["deploymentSpec"]["executors"]
    }
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
