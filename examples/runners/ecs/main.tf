terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    pulumicloud = {
      source  = "pulumicloud/pulumicloud"
      version = "~> 0.1"
    }
  }
}

provider "pulumicloud" {
  organization = "acme"
}

variable "runner_image" {
  description = "Image of the runner, such as pulumi/customer-managed-workflow-agent:v2.3.0."
  type        = string
}

variable "cluster_arn" {
  description = "ARN of the ECS cluster for runners and deployments."
  type        = string
}

variable "subnet_ids" {
  description = "IDs of private subnets with outbound internet access, such as through a NAT gateway."
  type        = list(string)
}

variable "execution_role_arn" {
  description = "ARN of the role with which ECS starts the runner. Requires secretsmanager:GetSecretValue on the secret below."
  type        = string
}

variable "task_role_arn" {
  description = "ARN of the role of the runner, which starts a task for each deployment."
  type        = string
}

resource "pulumicloud_agent_pool" "ecs" {
  name = "ecs"
}

resource "aws_secretsmanager_secret" "agent_token" {
  name_prefix = "pulumi-agent-token-"
}

resource "aws_secretsmanager_secret_version" "agent_token" {
  secret_id     = aws_secretsmanager_secret.agent_token.id
  secret_string = pulumicloud_agent_pool.ecs.token
}

resource "aws_ecs_task_definition" "runner" {
  family                   = "pulumi-runner"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 2048
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = var.task_role_arn

  container_definitions = jsonencode([{
    name      = "runner"
    image     = var.runner_image
    essential = true
    # Environment variables can set every key of pulumi-workflow-agent.yaml.
    environment = [
      { name = "PULUMI_AGENT_DEPLOY_TARGET", value = "ecs" },
      { name = "PULUMI_AGENT_ECS_CLUSTER", value = var.cluster_arn },
      { name = "PULUMI_AGENT_ECS_SUBNETS", value = join(" ", var.subnet_ids) },
      # The tasks of deployments copy a program from this image.
      { name = "PULUMI_AGENT_IMAGE", value = var.runner_image },
    ]
    # The version of the secret changes with the token, so that the service starts new tasks after a rotation.
    secrets = [{
      name      = "PULUMI_AGENT_TOKEN"
      valueFrom = "${aws_secretsmanager_secret.agent_token.arn}:::${aws_secretsmanager_secret_version.agent_token.version_id}"
    }]
  }])
}

resource "aws_ecs_service" "runner" {
  name            = "pulumi-runner"
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.runner.arn
  desired_count   = 2 # A runner executes one deployment at a time.
  launch_type     = "FARGATE"

  network_configuration {
    subnets = var.subnet_ids
  }
}
