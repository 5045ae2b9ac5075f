terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    pulumicloud = {
      source = "pulumicloud/pulumicloud"
    }
  }
}

variable "runner_image" {
  description = "Image of the runner, 2.3.0 or later: pulumi/customer-managed-workflow-agent with a version, or a mirror of it."
  type        = string
}

variable "cluster_arn" {
  description = "Cluster of the runners, and of the tasks that they start."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets from which Pulumi Cloud can be reached."
  type        = list(string)
}

variable "execution_role_arn" {
  description = "Role that ECS starts a runner with. It needs secretsmanager:GetSecretValue on the secret below."
  type        = string
}

variable "task_role_arn" {
  description = "Role of the runner itself, which starts a task for each deployment."
  type        = string
}

resource "pulumicloud_agent_pool" "ecs" {
  organization = "acme"
  name         = "ecs"
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
    # Every key of pulumi-workflow-agent.yaml can be a variable.
    environment = [
      { name = "PULUMI_AGENT_DEPLOY_TARGET", value = "ecs" },
      { name = "PULUMI_AGENT_ECS_CLUSTER", value = var.cluster_arn },
      { name = "PULUMI_AGENT_ECS_SUBNETS", value = join(" ", var.subnet_ids) },
      # Tasks copy a program from it, which has to match the runner.
      { name = "PULUMI_AGENT_IMAGE", value = var.runner_image },
    ]
    # A version of its own, so that another token makes another task definition, and the service starts new tasks.
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
  desired_count   = 2 # One runner runs one deployment at a time.
  launch_type     = "FARGATE"

  network_configuration {
    subnets = var.subnet_ids
  }
}
