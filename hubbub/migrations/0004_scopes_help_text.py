from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hubbub', '0003_topics'),
    ]

    operations = [
        migrations.AlterField(
            model_name='accesstoken',
            name='scopes',
            field=models.CharField(default='', help_text='Its permissions: names of scopes, separated by spaces.', max_length=400),
        ),
    ]
