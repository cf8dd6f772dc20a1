from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0010_natural_order"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="personalstate",
            index=models.Index(condition=models.Q(position=0), fields=["id"], name="personal_state_untold"),
        ),
    ]
