"""Settings of how a run is executed: here, on Kubeflow Pipelines or by Airflow."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline import airflow_schedule, metadata_address
from pipeline.config.section import Section

_CPU = r"^([1-9]\d*|\d+\.\d+|[1-9]\d*m)$"
_MEMORY = r"^[1-9]\d*(Mi|Gi|Ti|M|G|T)$"


class RunSettings(Section):
    """How the pipeline is executed."""

    cache: bool = Field(
        True, description="Reuse results whose inputs, settings and code are the same."
    )
    metadata: str = Field(
        "sqlite",
        description="Where ML Metadata is kept: sqlite, a file in the workspace, or a MySQL or "
        "MariaDB server that several tasks may write to at once, "
        "`mysql://user:$VARIABLE@host:3306/database`, with the password in the environment "
        "variable `VARIABLE`.",
    )
    beam_args: list[str] = Field(
        [
            "--runner=FnApiRunner",
            "--direct_running_mode=in_memory",
            "--sdk_container_image=none",
        ],
        description="Beam pipeline options of the data components.",
    )

    @field_validator("metadata")
    @classmethod
    def _address_of_metadata(cls, value: str) -> str:
        metadata_address.parse(value)
        return value


class Resources(Section):
    """What a component asks of the cluster, where that is not what the others ask."""

    cpu: str | None = Field(None, pattern=_CPU)
    memory: str | None = Field(None, pattern=_MEMORY)
    gpus: int = Field(0, ge=0, le=16)


class KubeflowSettings(Section):
    """How the pipeline runs on Kubeflow Pipelines."""

    image: str = Field(
        "expression-pipeline:latest",
        pattern=r"^\S+$",
        description="Image that every component runs in, as containers/Dockerfile builds it.",
    )
    pipeline_root: str | None = Field(
        None,
        pattern=r"^(minio|s3|gs)://[^/\s]+(/\S*)?$",
        description="Object store folder for artifacts, such as s3://bucket/expression; none takes "
        "the cluster's own.",
    )
    workspace: str = Field(
        "/workspace",
        pattern=r"^/\S*[^/\s]$",
        description="Where components see the shared volume: data, checkpoints, pushed models.",
    )
    workspace_claim: str = Field(
        "expression-workspace",
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        description="PersistentVolumeClaim behind that volume.",
    )
    cpu: str = Field(
        "2", pattern=_CPU, description="CPUs of a component, as Kubernetes writes them."
    )
    memory: str = Field(
        "4Gi", pattern=_MEMORY, description="Memory of a component, as Kubernetes writes it."
    )
    resources: dict[str, Resources] = Field(
        {},
        description="Other `cpu`, `memory` and `gpus` by component, as in "
        "`kubeflow.resources.Trainer.gpus=1`.",
    )
    gpu_type: str = Field(
        "nvidia.com/gpu", pattern=r"^\S+$", description="The cluster's name for a GPU."
    )
    retries: int = Field(
        2, ge=0, le=100, description="How often a component that failed is tried again."
    )
    secrets: dict[str, Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")]] = Field(
        {},
        description="Environment variables of every component that come out of Kubernetes secrets, "
        "as `name/key`.",
    )


class AirflowSettings(Section):
    """How Airflow runs the pipeline; other runners leave it alone."""

    schedule: str = Field(
        "@daily",
        description="When a run starts by the clock, in UTC: five cron fields, or `@daily` and the "
        "like; an empty text for never.",
    )
    watch: bool = Field(
        True, description="Start a run when another archive, or a new span, lands at the data path."
    )
    not_blessed: Literal["fail", "skip"] = Field(
        "fail",
        description="How a run ends whose model is not pushed: failed, or with its report skipped.",
    )
    retries: int = Field(
        2,
        ge=0,
        le=100,
        description="More tries of a component that failed or was killed; mistakes "
        "of the user's, anomalies and models that are not blessed are not tried again.",
    )
    retry_delay_s: float = Field(60.0, ge=0.0, description="Seconds before another try.")
    timeout_min: float = Field(
        720.0, gt=0.0, description="Longest time of one try of one component, in minutes."
    )
    pool: str = Field(
        "default_pool",
        min_length=1,
        description="Airflow pool that the components take their slots from; must be there.",
    )

    @field_validator("schedule")
    @classmethod
    def _cron_of_schedule(cls, value: str) -> str:
        return airflow_schedule.parse(value)
